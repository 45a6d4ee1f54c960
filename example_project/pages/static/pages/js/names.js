// What the other modules share: how a name and a size are written.

// Django's hashed names end in twelve hexadecimal digits before the extension.
const HASHED = /^(.+)[.]([0-9a-f]{12})([.][^.]+)$/;

export function splitName(url) {
  const path = decodeURIComponent(new URL(url).pathname);
  const slash = path.lastIndexOf("/") + 1;
  const found = HASHED.exec(path.slice(slash));
  const [stem, hash, extension] = found ? found.slice(1) : [path.slice(slash), "", ""];
  return { directory: path.slice(0, slash), stem, hash, extension };
}

export function formatBytes(count) {
  return count < 1024 ? `${count} B` : `${(count / 1024).toFixed(1)} KB`;
}
