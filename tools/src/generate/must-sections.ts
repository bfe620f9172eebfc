// Every section of RFC 9112, 9113 and 7541 that says MUST, so that none is forgotten: each has rules in a table, or a reason
// here why no proxy can break what it says. Taken from the published texts; they do not change.

/** Sections by RFC: those that the tables have to have rules of. */
export const mustSections: Readonly<Record<string, readonly string[]>> = {
  "7541": ["2.1", "2.3.2", "2.3.3", "3.2", "4.2", "5.1", "5.2", "6.1", "6.2.3", "6.3", "7.1.3"],
  "9112": [
    ...["2.2", "2.3", "3", "3.2", "3.2.1", "3.2.2", "3.2.3", "3.2.4", "4", "5.1", "5.2", "6.1", "6.2", "6.3", "7.1"],
    ...["7.1.1", "7.1.2", "7.4", "8", "9.2", "9.3", "9.3.2", "9.6", "9.7", "9.8"],
  ],
  "9113": [
    ...["3.2", "3.3", "3.4", "4.1", "4.2", "4.3", "5.1", "5.1.1", "5.1.2", "5.2.1", "5.2.2", "5.4.1", "5.4.2", "5.5"],
    ...["6.1", "6.2", "6.3", "6.4", "6.5", "6.5.2", "6.5.3", "6.6", "6.7", "6.8", "6.9", "6.9.1", "6.9.2", "6.9.3"],
    ...["6.10", "7", "8.1", "8.1.1", "8.2", "8.2.1", "8.2.2", "8.2.3", "8.3", "8.3.1", "8.3.2", "8.4", "8.5", "8.7"],
    ...["9.2", "9.2.3", "10.3", "10.5.1", "10.6"],
  ],
};

/** Sections that say MUST of something that no proxy does, or whose rules stand elsewhere. */
export const sectionsLeftOut: readonly { readonly rfc: string; readonly section: string; readonly why: string }[] = [
  { rfc: "9112", section: "7.3", why: "It is about the registry of codings." },
  { rfc: "9112", section: "10.1", why: "Nobody here reads message/http." },
  { rfc: "9113", section: "4.3.1", why: "Its rules are in §4.3 and in RFC 7541 §4.2." },
  { rfc: "9113", section: "5.4", why: "Its rules are in §5.4.1 and §5.4.2." },
  { rfc: "9113", section: "8.4.1", why: "Nothing is pushed, and clients switch push off (§8.4)." },
  { rfc: "9113", section: "8.4.2", why: "Nothing is pushed, and clients switch push off (§8.4)." },
  { rfc: "9113", section: "9.1.1", why: "Its rule is in §9.1." },
  { rfc: "9113", section: "9.2.1", why: "TLS 1.2 is not spoken (§9.2)." },
  { rfc: "9113", section: "9.2.2", why: "TLS 1.2 is not spoken (§9.2)." },
  { rfc: "9113", section: "10.4", why: "Nothing is pushed, and clients switch push off (§8.4)." },
];
