// Command dns-lookup asks the agent's resolver for records of a name.
package main

import (
	"slices"
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"lookup": plugin.Action(lookup)}

func main() { plugin.Main(actions) }

type params struct {
	Name           string   `json:"name"`
	Type           string   `json:"type"`
	Expect         []string `json:"expect"` // all of these must be among the answers
	TimeoutSeconds float64  `json:"timeout_seconds"`
}

type result struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Records    []plugin.Record `json:"records"`
	DurationMS float64         `json:"duration_ms"`
}

func lookup(ctx *plugin.Context, p params) plugin.Response {
	if p.Type == "" {
		p.Type = "A"
	}
	ctx.Log("looking up %s %s", p.Type, p.Name)
	res, err := ctx.Lookup(plugin.LookupRequest{Name: p.Name, Type: p.Type, TimeoutSeconds: p.TimeoutSeconds})
	switch plugin.Code(err) {
	case "not_found":
		return plugin.Fail(404, "There is no %s record of %s.", p.Type, p.Name).WithCode("not_found")
	case "":
		if err != nil {
			return reach.Failure(err, p.Name)
		}
	default:
		return reach.Failure(err, p.Name)
	}
	r := result{Name: p.Name, Type: p.Type, Records: res.Records, DurationMS: reach.Milliseconds(res.DurationMS)}
	for _, rec := range r.Records {
		ctx.Log("%s %s", rec.Type, rec.Value)
	}
	return judge(p, r).WithResult(r).WithMetric("duration_ms", r.DurationMS).
		WithMetric("records", float64(len(r.Records))).WithDB("records", r.Records)
}

func judge(p params, r result) plugin.Response {
	var missing []string
	for _, want := range p.Expect {
		if !slices.ContainsFunc(r.Records, func(rec plugin.Record) bool { return same(rec.Value, want) }) {
			missing = append(missing, want)
		}
	}
	if len(missing) > 0 {
		return plugin.Fail(417, "%s %s is not as expected: %s is missing.", p.Type, p.Name, strings.Join(missing, ", ")).WithCode("unexpected_records")
	}
	if len(r.Records) == 1 {
		return plugin.OK("%s %s is %s.", p.Type, p.Name, r.Records[0].Value)
	}
	return plugin.OK("%s %s has %s.", p.Type, p.Name, reach.Count(len(r.Records), "record"))
}

// same compares as DNS does for names: without case and the final dot.
func same(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
