// NAME reads a file on the agent and counts its lines, those that hold a word among them.
// Each exported function is an action; plugin.yaml describes its parameters and fills in what was left out.

export async function count({ params: { path, word }, octopus }) {
  let lines = 0, matches = 0, rest = "", offset = 0;
  try {
    for (;;) {
      // A page at a time: 1 MiB unless told.
      const page = await octopus.call("file.read", { path, offset });
      const text = rest + (page.body ?? octopus.text(octopus.unbase64(page.body_base64 ?? "")));
      const parts = text.split("\n");
      rest = parts.pop();
      lines += parts.length;
      matches += parts.filter((line) => word !== "" && line.includes(word)).length;
      offset = page.offset + page.bytes;
      if (page.eof || page.bytes === 0) break;
      if (octopus.cancelled()) return octopus.fail(499, "Cancelled.").withCode("cancelled");
    }
  } catch (error) {
    return octopus.failWith(error, `${path} cannot be read: ${error.message}`);
  }
  if (rest !== "") {
    lines++;
    if (word !== "" && rest.includes(word)) matches++;
  }
  return octopus.ok(word === "" ? `${lines} lines.` : `${matches} of ${lines} lines hold ${word}.`)
    .withResult({ lines, matches }).withMetric("lines", lines).withMetric("matches", matches);
}
