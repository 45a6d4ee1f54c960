// Loaded on demand: asks for every file again, with the validator that the browser has.

export async function revalidate(resources) {
  let unchanged = 0;
  for (const { url, etag, etagCell } of resources) {
    if (!etag) continue;
    const response = await fetch(url, { headers: { "If-None-Match": etag }, cache: "no-store" });
    if (response.status === 304) unchanged += 1;
    etagCell.querySelector(".tag")?.remove();
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.textContent = response.status;
    etagCell.prepend(tag, " ");
  }
  return unchanged;
}
