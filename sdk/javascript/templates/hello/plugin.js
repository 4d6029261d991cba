// NAME is a plugin for Octopus. It greets, and remembers whom it has greeted before.
// Each exported function is an action; plugin.yaml describes its parameters and fills in what was left out.

/** @param {import("./octopus").Call<{name: string, times: number}>} call */
export async function greet({ params: { name, times }, octopus }) {
  for (let i = 1; i <= times; i++) {
    if (!(await octopus.sleep(0.1))) {
      return octopus.fail(499, `Cancelled after ${i - 1} of ${times} greetings.`).withCode("cancelled");
    }
    console.log(`Hello, ${name}.`);
    octopus.progress(i / times, `${i} of ${times}`);
  }
  try {
    const total = ((await octopus.kv.get(`greeted/${name}`)) ?? 0) + times;
    await octopus.kv.set(`greeted/${name}`, total);
    return octopus.ok(`Hello, ${name}.`).withResult({ name, times, total }).withMetric("greetings", times);
  } catch (error) {
    return octopus.failWith(error, `The greeting cannot be remembered: ${error.message}`);
  }
}
