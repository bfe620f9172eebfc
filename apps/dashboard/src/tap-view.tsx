// Live requests: opens a tap only while somebody looks.

import type { TapNotice, UnknownReplica } from "@ripstop/model";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { streamTap, type TapLine } from "./api.ts";
import { duration, shortName } from "./format.ts";
import { MissingView } from "./missing-view.tsx";

const KEEP = 60;

/** The list of the last requests, with a switch. */
export function TapView(): JSX.Element {
  const [on, setOn] = useState(false);
  const [lines, setLines] = useState<readonly TapLine[]>([]);
  const [problem, setProblem] = useState("");
  const [missing, setMissing] = useState<ReadonlyMap<string, UnknownReplica>>(new Map());
  useEffect(() => {
    if (!on) return;
    const abort = new AbortController();
    let waiting: TapLine[] = [];
    const flush = setInterval(() => {
      if (waiting.length === 0) return;
      const fresh = waiting.reverse();
      waiting = [];
      setLines((old) => [...fresh, ...old].slice(0, KEEP));
    }, 250);
    setProblem("");
    setMissing(new Map());
    streamTap(abort.signal, (line) => {
      if ("notice" in line) setMissing((known) => follow(known, line));
      else if (waiting.length < KEEP) waiting.push(line);
    })
      .then(() => setOn(false))
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        setProblem(error instanceof Error ? error.message : String(error));
        setOn(false);
      });
    return () => {
      clearInterval(flush);
      abort.abort();
    };
  }, [on]);
  return (
    <section>
      <header class="bar">
        <h2>Live requests</h2>
        <button type="button" class={on ? "on" : ""} aria-pressed={on} onClick={() => setOn(!on)}>
          {on ? "stop" : "watch"}
        </button>
        {problem !== "" && <span class="alarm">{problem}</span>}
      </header>
      {on && <MissingView unknown={[...missing.values()]} />}
      {lines.length > 0 && (
        <div class="scroll short">
          <table>
            <tbody>
              {lines.map((line, at) => (
                <tr key={`${line.timeUnixMs}-${at}`}>
                  <td class="mono faint">{new Date(line.timeUnixMs).toISOString().slice(11, 23)}</td>
                  <td>
                    {shortName(line.sourceService)} → {shortName(line.destinationService)}
                  </td>
                  <td class="mono">
                    {line.method} {line.path || line.protocol}
                  </td>
                  <td class={line.status >= 500 || line.grpcStatus > 0 ? "alarm" : line.status >= 400 ? "warn" : ""}>
                    {line.status || "–"}
                  </td>
                  <td class="number">{duration(line.latencyUs / 1000)}</td>
                  <td>{line.tlsVersion === "" ? <span class="alarm">plain</span> : line.tlsVersion}</td>
                  <td class="faint">{line.errorCode === "" ? "" : `${line.errorCode} ${line.errorCause}`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function follow(
  missing: ReadonlyMap<string, UnknownReplica>,
  { notice, replica }: TapNotice,
): ReadonlyMap<string, UnknownReplica> {
  const after = new Map(missing);
  if (notice === "missing") after.set(replica.id, replica);
  else after.delete(replica.id);
  return after;
}
