// Loaded before each server: ends it when its standard input closes, which happens when the test run is killed.
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
process.stdin.unref?.();
