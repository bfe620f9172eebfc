// The checksum of what an end holds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { stateChecksum } from "./state-checksum.ts";

const states = fc.uniqueArray(fc.tuple(fc.string(), fc.string()), { selector: ([name]) => name, maxLength: 20 });

describe("the checksum of a state", () => {
  it("does not depend on the order", () => {
    fc.assert(
      fc.property(states, (state) => {
        assert.deepEqual(stateChecksum(state), stateChecksum(state.toReversed()));
      }),
    );
  });

  it("differs when a version, a name or a resource differs", () => {
    fc.assert(
      fc.property(states, fc.string(), fc.string(), (state, name, version) => {
        const others = state.filter(([known]) => known !== name);
        const whole = stateChecksum([...others, [name, version]]);
        assert.notDeepEqual(stateChecksum(others), whole);
        assert.notEqual(stateChecksum([...others, [name, `${version}x`]]).digest, whole.digest);
        assert.notEqual(stateChecksum([...others, [`${name}x`, version]]).digest, whole.digest);
      }),
    );
  });

  it("tells where a name ends", () => {
    assert.notEqual(stateChecksum([["ab", "c"]]).digest, stateChecksum([["a", "bc"]]).digest);
  });
});
