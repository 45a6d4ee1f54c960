import { watchResources } from "./resources.js";
import { ResourceTable, drawGlyph } from "./table.js";

const section = document.querySelector("#loaded");
const table = new ResourceTable(section.querySelector("table"), section.querySelector("dl"));

watchResources(section.dataset.staticUrl, (resource) => table.add(resource));

for (const mark of document.querySelectorAll("[data-glyph]")) {
  mark.append(drawGlyph(mark.textContent));
}

const button = section.querySelector("button");
button.addEventListener("click", async () => {
  button.disabled = true;
  const { revalidate } = await import("./revalidate.js");
  const resources = [...table.resources];
  const unchanged = await revalidate(resources);
  section.querySelector("[role=status]").textContent =
    `${unchanged} of ${resources.length} answered 304 Not Modified, without a body.`;
  button.disabled = false;
});
section.querySelector("[hidden]").hidden = false;
