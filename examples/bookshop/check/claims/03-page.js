// The front page, opened as a browser does, has a part from every service.
import { ensure, until } from "../mesh.js";

export const title = "the page has all its parts";

export async function run({ mesh }) {
  const { applicationAddress } = await mesh.workload("web");
  const parts = await until("the page has failed parts", 10, async () => {
    const response = await fetch(`http://${applicationAddress}/api/home`);
    const value = await response.json();
    return Object.values(value).every((part) => part.error === undefined) ? value : undefined;
  });
  const html = await (await fetch(`http://${applicationAddress}/`)).text();
  ensure(html.includes("The Bookshop") && !html.includes('class="bad"'), "the HTML page shows a failure");
  return Object.keys(parts).join(", ");
}
