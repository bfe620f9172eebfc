// All groups of cases.

import type { Case } from "../case.ts";
import { httpMatching } from "./http-matching.ts";

/** Every case, group by group. */
export const allCases: readonly Case[] = [httpMatching].flat();
