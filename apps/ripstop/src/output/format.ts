// One value as JSON or YAML, or as a table by the command's own columns.

/** What -o takes. */
export type OutputFormat = "table" | "json" | "yaml";

/** `value` in the format; `table` makes the text for people. */
export async function formatOutput(format: OutputFormat, value: unknown, table: () => string): Promise<string> {
  switch (format) {
    case "json":
      return `${JSON.stringify(value, undefined, 2)}\n`;
    case "yaml": {
      const { stringify } = await import("yaml");
      return stringify(value, { lineWidth: 0 });
    }
    case "table":
      return table();
    default:
      return format satisfies never;
  }
}
