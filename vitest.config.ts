import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["packages/**/*_test.ts", "scripts/**/*_test.ts", "bench/**/*_test.ts", "demos/**/*_test.ts"],
    globalSetup: ["scripts/vitest_setup.mjs"],
    // Dawn reads the driver's environment variables of its own process; worker threads would see a copy of them.
    pool: "forks",
    // A software adapter uses every core by itself: more workers only wait for one another.
    maxWorkers: 2,
    // The first use of a kernel on a software adapter compiles it, which can take seconds.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

export default config;
