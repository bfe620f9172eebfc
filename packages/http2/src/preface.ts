// What an endpoint says first: the client preface, SETTINGS, and the connection window (RFC 9113 §3.4, §6.5).

import { CLIENT_PREFACE, DEFAULT_WINDOW, FrameType, SettingId } from "./frames.ts";
import type { ConnectionState } from "./connection-state.ts";

/** Composes the first bytes of a connection. */
export function sendPreface(state: ConnectionState): void {
  const { settings, limits, role } = state;
  const { writer } = state.sender;
  if (role === "client") writer.bytes(CLIENT_PREFACE, 0, CLIENT_PREFACE.length);
  const entries: [id: number, value: number][] = [
    [SettingId.INITIAL_WINDOW_SIZE, settings.initialWindowBytes],
    [SettingId.MAX_FRAME_SIZE, settings.maxFrameBytes],
    [SettingId.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
    [SettingId.NO_RFC7540_PRIORITIES, 1],
  ];
  if (settings.headerTableBytes !== 4096) entries.push([SettingId.HEADER_TABLE_SIZE, settings.headerTableBytes]);
  if (role === "client") {
    entries.push([SettingId.ENABLE_PUSH, 0]);
  } else {
    entries.push([SettingId.MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams]);
    if (settings.extendedConnect) entries.push([SettingId.ENABLE_CONNECT_PROTOCOL, 1]);
  }
  writer.header(entries.length * 6, FrameType.SETTINGS, 0, 0);
  for (const [id, value] of entries) {
    writer.byte(id >>> 8);
    writer.byte(id);
    writer.u32(value);
  }
  const extra = state.receiveWindow - DEFAULT_WINDOW;
  if (extra > 0) writer.windowUpdate(0, extra);
  state.sender.schedule();
}
