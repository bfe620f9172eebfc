// What happened in the mesh that its operators should know, newest first.

import type { MeshEvent } from "@ripstop/model";
import type { JSX } from "preact";

const SHOWN = 100;
const LAMPS: Readonly<Record<MeshEvent["severity"], string>> = { info: "good", warning: "fair", critical: "bad" };

/** The list of events. */
export function EventsView({ events }: { readonly events: readonly MeshEvent[] }): JSX.Element {
  const newest = events.toReversed().slice(0, SHOWN);
  const isSeveral = newest.some(({ replica }) => replica !== undefined);
  return (
    <section aria-label="events">
      <header class="bar">
        <h2>Events</h2>
      </header>
      {newest.length === 0 ? (
        <p class="empty">Nothing has happened that needs attention since the control plane started.</p>
      ) : (
        <div class="scroll short">
          <table>
            <tbody>
              {newest.map((event) => (
                <tr key={`${event.replica ?? ""} ${event.number}`}>
                  <td class="mono faint">{new Date(event.timeMs).toISOString().slice(0, 19).replace("T", " ")}</td>
                  <td>
                    <span class={`lamp ${LAMPS[event.severity]}`} /> {event.type}
                  </td>
                  {isSeveral && <td class="mono faint">{(event.replica ?? "").slice(0, 8)}</td>}
                  <td class="mono">{event.subject}</td>
                  <td>{event.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
