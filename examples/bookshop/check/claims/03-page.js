// The front page, opened as a browser does, has a part from every service.
import { until } from "../mesh.js";

export const title = "the page has all its parts";

export async function run({ mesh }) {
  const { applicationAddress } = await mesh.workload("web");
  const parts = await until("the page has failed parts", 60, async () => {
    const response = await fetch(`http://${applicationAddress}/api/home`);
    const value = await response.json();
    return Object.values(value).every((part) => part.error === undefined) ? value : undefined;
  });
  // One instance of the reviews fails now and then, and retries hide most of it, not all.
  await until("the HTML page shows a failure", 60, async () => {
    const html = await (await fetch(`http://${applicationAddress}/`)).text();
    return html.includes("The Bookshop") && !html.includes('class="bad"');
  });
  return Object.keys(parts).join(", ");
}
