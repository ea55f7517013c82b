// What to install by hand, by distribution.

/**
 * @typedef {object} Release what /etc/os-release says
 * @property {string} [id] `debian`
 * @property {string} [like] the distributions that it descends from: `ubuntu debian`
 * @property {string} [version] `12`
 * @property {string} [codename] `bookworm`
 */

/**
 * Reads the text of /etc/os-release.
 *
 * @param {string} text
 * @returns {Release}
 */
export function parseRelease(text) {
  const fields = new Map(Array.from(text.matchAll(/^([A-Z_]+)=["']?(.*?)["']?$/gm), (match) => [match[1], match[2]]));
  return { id: fields.get("ID"), like: fields.get("ID_LIKE"), version: fields.get("VERSION_ID"), codename: fields.get("VERSION_CODENAME") };
}

/**
 * The command that installs a software Vulkan driver system-wide.
 *
 * @param {Release} release
 * @returns {string}
 */
export function installCommand({ id = "", like = "", codename }) {
  const family = [id, ...like.split(" ")];
  if (codename === "bookworm") {
    return "sudo apt-get install -t bookworm-backports mesa-vulkan-drivers libvulkan1   (with bookworm-backports among apt's sources)";
  }
  if (family.includes("debian") || family.includes("ubuntu")) return "sudo apt-get install mesa-vulkan-drivers libvulkan1";
  if (family.includes("fedora") || family.includes("rhel")) return "sudo dnf install mesa-vulkan-drivers vulkan-loader";
  if (family.includes("arch")) return "sudo pacman -S vulkan-swrast vulkan-icd-loader";
  if (family.some((name) => /suse/.test(name))) return "sudo zypper install libvulkan_lvp libvulkan1";
  return "your distribution's packages of Mesa's Vulkan drivers (Mesa 23 or later) and of the Vulkan loader";
}
