// The version of this package.

/** As in package.json; the release tool keeps both alike. */
export const packageVersion: string = "0.1.0";
