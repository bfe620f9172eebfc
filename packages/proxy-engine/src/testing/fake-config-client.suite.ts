// A config stream that tests write by hand.

import type { ConfigClient, Subscription, Watcher } from "@ripstop/discovery/client";
import type { ResourceType } from "@ripstop/model";

interface Slot {
  readonly watchers: Set<Watcher<unknown>>;
  value: Uint8Array | "removed" | undefined;
}

/** Resources by type and name; `set` and `remove` deliver at once. */
export class FakeConfigClient implements ConfigClient {
  connected = true;
  /** Unknown names are answered as removed at once, as a control plane would. */
  answersUnknown = true;
  /** Updates that a watcher refused. */
  readonly refused: string[] = [];
  readonly #slots = new Map<string, Slot>();

  watch<T>(type: ResourceType<T>, name: string, watcher: Watcher<T>): Subscription {
    const slot = this.#slot(type.name, name);
    const own: Watcher<unknown> = {
      onResource: (bytes) => {
        if (bytes instanceof Uint8Array) watcher.onResource(type.decode(bytes));
      },
      onRemoved: () => watcher.onRemoved(),
    };
    slot.watchers.add(own);
    if (slot.value === undefined && this.answersUnknown) slot.value = "removed";
    this.#tell(slot, own, `${type.name} ${name}`);
    return { cancel: () => slot.watchers.delete(own) };
  }

  /** Puts a resource in force. */
  set<T>(type: ResourceType<T>, name: string, value: T): void {
    const slot = this.#slot(type.name, name);
    slot.value = type.encode(value);
    for (const watcher of [...slot.watchers]) this.#tell(slot, watcher, `${type.name} ${name}`);
  }

  /** Sends bytes as they are. */
  setBytes(type: ResourceType<unknown>, name: string, bytes: Uint8Array): void {
    const slot = this.#slot(type.name, name);
    slot.value = bytes;
    for (const watcher of [...slot.watchers]) this.#tell(slot, watcher, `${type.name} ${name}`);
  }

  remove(type: ResourceType<unknown>, name: string): void {
    const slot = this.#slot(type.name, name);
    slot.value = "removed";
    for (const watcher of [...slot.watchers]) this.#tell(slot, watcher, `${type.name} ${name}`);
  }

  /** How many watch a resource. */
  watchers(type: ResourceType<unknown>, name: string): number {
    return this.#slots.get(`${type.name} ${name}`)?.watchers.size ?? 0;
  }

  async close(): Promise<void> {
    this.#slots.clear();
  }

  #slot(type: string, name: string): Slot {
    const key = `${type} ${name}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { watchers: new Set(), value: undefined };
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #tell(slot: Slot, watcher: Watcher<unknown>, what: string): void {
    try {
      if (slot.value === "removed") watcher.onRemoved();
      else if (slot.value !== undefined) watcher.onResource(slot.value);
    } catch (error) {
      this.refused.push(`${what}: ${String(error)}`);
    }
  }
}
