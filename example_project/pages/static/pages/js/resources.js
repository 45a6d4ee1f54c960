// Finds what the page loaded from STATIC_URL, and asks the server about each file.

import { splitName } from "./names.js";

async function describe(url, entry) {
  // HEAD has the headers of GET without the body; "no-store" asks the server, not the cache.
  const response = await fetch(url, { method: "HEAD", cache: "no-store" });
  const header = (name) => response.headers.get(name) ?? "";
  const length = Number(header("content-length"));
  return {
    url,
    name: splitName(url),
    coding: header("content-encoding"),
    cacheControl: header("cache-control"),
    immutable: header("cache-control").includes("immutable"),
    etag: header("etag"),
    // The transfer size is 0 for what came out of the browser's cache.
    cached: entry?.transferSize === 0,
    encoded: entry?.encodedBodySize || length,
    decoded: entry?.decodedBodySize || length,
    transferred: entry?.transferSize ?? length,
  };
}

export function watchResources(prefix, found) {
  const base = new URL(prefix, document.baseURI).href;
  const seen = new Set();

  async function add(url, entry) {
    if (!url.startsWith(base) || seen.has(url)) return;
    seen.add(url);
    found(await describe(url, entry));
  }

  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.initiatorType !== "fetch") add(entry.name, entry);
    }
  });
  observer.observe({ type: "resource", buffered: true });

  // Browsers do not report the icon, so it is taken out of the document.
  for (const link of document.querySelectorAll("link[rel~=icon]")) add(link.href);
}
