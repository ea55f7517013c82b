import { describe, expect, it } from "vitest";
import { candidateVersion, dependencyClosure, plannedPackages, totalSize } from "./apt.mjs";

describe("candidateVersion", () => {
  it("reads the candidate, not what is installed", () => {
    expect(candidateVersion("mesa-vulkan-drivers:\n  Installed: 22.3.6-1\n  Candidate: 25.0.7-2~bpo12+1\n  Version table:\n")).toBe(
      "25.0.7-2~bpo12+1",
    );
  });

  it("is undefined for a package that no archive has", () => {
    expect(candidateVersion("x:\n  Installed: (none)\n  Candidate: (none)\n")).toBeUndefined();
    expect(candidateVersion("")).toBeUndefined();
  });
});

describe("plannedPackages", () => {
  it("lists what would be installed or upgraded, and the version it would have", () => {
    const simulation = [
      "Inst libdrm2 [2.4.114-1+b1] (2.4.123-1~bpo12+1 Debian Backports:stable-backports [amd64]) []",
      "Inst mesa-vulkan-drivers (25.0.7-2~bpo12+1 Debian Backports:stable-backports [amd64])",
      "Conf libdrm2 (2.4.123-1~bpo12+1 Debian Backports:stable-backports [amd64])",
    ].join("\n");
    expect([...plannedPackages(simulation)]).toEqual([
      ["libdrm2", "2.4.123-1~bpo12+1"],
      ["mesa-vulkan-drivers", "25.0.7-2~bpo12+1"],
    ]);
  });
});

describe("dependencyClosure", () => {
  it("takes the packages at the margin and leaves their relations and virtual packages", () => {
    const output = "mesa-vulkan-drivers\n  Depends: libc6\n |Depends: libllvm15\nlibc6\n<x-virtual>\n  libc6\nlibllvm15\n";
    expect([...dependencyClosure(output)]).toEqual(["mesa-vulkan-drivers", "libc6", "libllvm15"]);
  });
});

describe("totalSize", () => {
  it("adds the sizes that apt prints, and nothing for an empty list", () => {
    expect(totalSize("'http://a/x_1%3a2.deb' x_1%3a2.deb 100 SHA256:00\n'http://a/y.deb' y.deb 23 SHA256:11\n")).toBe(123);
    expect(totalSize("")).toBe(0);
  });
});
