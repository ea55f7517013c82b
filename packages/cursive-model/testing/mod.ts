export * from "./draws_digest.ts";
