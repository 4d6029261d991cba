// NAME turns its parameters into something else: no network, no files, nothing to grant.
// Each exported function is an action; plugin.yaml describes its parameters and fills in what was left out.

export function total({ params: { items, round }, octopus }) {
  const groups = {};
  for (const { name, amount } of items) {
    groups[name] = (groups[name] ?? 0) + amount;
  }
  const factor = 10 ** round;
  const totals = Object.entries(groups)
    .map(([name, amount]) => ({ name, amount: Math.round(amount * factor) / factor }))
    .sort((a, b) => b.amount - a.amount);
  console.log(`${items.length} items in ${totals.length} groups`);
  return octopus.ok(`Groups: ${totals.length}.`).withResult({ totals }).withMetric("groups", totals.length);
}
