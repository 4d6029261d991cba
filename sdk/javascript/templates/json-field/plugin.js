// NAME asks an HTTP address for JSON and compares one field of the answer.
// Each exported function is an action; plugin.yaml describes its parameters and fills in what was left out.

export async function check({ params: { url, field, equals }, octopus }) {
  let answer;
  try {
    answer = await octopus.http.fetch(url, { headers: { Accept: "application/json" } });
  } catch (error) {
    return octopus.failWith(error, `${url} did not answer: ${error.message}`);
  }
  if (!answer.ok) return octopus.fail(502, `${url} answered ${answer.status}.`);
  let found;
  try {
    // a.b.0 goes into objects and lists
    found = field.split(".").reduce((value, key) => value?.[key], answer.json());
  } catch {
    return octopus.fail(502, `${url} answered something that is not JSON.`);
  }
  console.log(`${field} is ${JSON.stringify(found)}`);
  if (found === undefined) return octopus.fail(422, `The answer has no field ${field}.`);
  const response = String(found) === equals ? octopus.ok(`${field} is ${equals}.`) : octopus.fail(422, `${field} is ${found}, not ${equals}.`);
  return response.withResult({ field, value: found }).withMetric("ms", answer.duration_ms);
}
