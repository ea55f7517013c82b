import { describe, expect, it } from "vitest";
import { installCommand, parseRelease } from "./advice.mjs";

describe("parseRelease", () => {
  it("reads fields with and without quotes", () => {
    const text = 'PRETTY_NAME="Linux Mint 21.3"\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21.3"\nVERSION_CODENAME=virginia\n';
    expect(parseRelease(text)).toEqual({ id: "linuxmint", like: "ubuntu debian", version: "21.3", codename: "virginia" });
  });
});

describe("installCommand", () => {
  it("names the backports on Debian 12, whose own Mesa is too old", () => {
    expect(installCommand({ id: "debian", codename: "bookworm" })).toContain("-t bookworm-backports mesa-vulkan-drivers libvulkan1");
  });

  it.each([
    [{ id: "debian", codename: "trixie" }, "sudo apt-get install mesa-vulkan-drivers libvulkan1"],
    [{ id: "ubuntu", like: "debian", codename: "noble" }, "sudo apt-get install mesa-vulkan-drivers libvulkan1"],
    [{ id: "rocky", like: "rhel centos fedora" }, "sudo dnf install mesa-vulkan-drivers vulkan-loader"],
    [{ id: "arch" }, "sudo pacman -S vulkan-swrast vulkan-icd-loader"],
    [{ id: "opensuse-tumbleweed", like: "opensuse suse" }, "sudo zypper install libvulkan_lvp libvulkan1"],
  ])("knows the packages of %o", (release, command) => {
    expect(installCommand(release)).toBe(command);
  });

  it("says what to look for on a distribution that it does not know", () => {
    expect(installCommand({})).toContain("Mesa's Vulkan drivers");
  });
});
