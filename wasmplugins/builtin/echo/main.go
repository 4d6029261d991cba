// Command echo answers what it is asked to: for trying out how executions,
// logs, progress, cancelling and failures look and behave.
package main

import (
	"strings"
	"time"

	"octopus/sdk/plugin"
)

var actions = plugin.Actions{"echo": plugin.Action(echo)}

func main() { plugin.Main(actions) }

type params struct {
	Message      string  `json:"message"`
	DelaySeconds float64 `json:"delay_seconds"`
	LogLines     int     `json:"log_lines"`
	StatusCode   int     `json:"status_code"` // 200 if 0
	Bytes        int     `json:"bytes"`
}

type result struct {
	Message   string  `json:"message"`
	LogLines  int     `json:"log_lines"`
	TookMS    float64 `json:"took_ms"`
	Filler    string  `json:"filler,omitempty"`
	Attempt   int     `json:"attempt,omitempty"`
	Execution string  `json:"execution,omitempty"`
}

func echo(ctx *plugin.Context, p params) plugin.Response {
	if p.StatusCode == 0 {
		p.StatusCode = 200
	}
	start := time.Now()
	if !work(ctx, p, start) {
		return plugin.Fail(499, "Cancelled after %s.", time.Since(start).Round(100*time.Millisecond)).WithCode("cancelled")
	}
	r := result{
		Message: p.Message, LogLines: p.LogLines, Filler: strings.Repeat(".", max(0, p.Bytes)),
		TookMS: float64(time.Since(start).Microseconds()) / 1000, Attempt: ctx.Execution.Attempt, Execution: ctx.Execution.ID,
	}
	res := plugin.Fail(p.StatusCode, "%s", p.Message).WithResult(r)
	if p.StatusCode < 200 || p.StatusCode > 299 {
		return res.WithCode("as_asked")
	}
	return res.WithMetric("took_ms", r.TookMS)
}

// work spreads log lines and progress evenly over the delay; it returns false
// when the execution was cancelled.
func work(ctx *plugin.Context, p params, start time.Time) bool {
	total := time.Duration(p.DelaySeconds * float64(time.Second))
	steps := max(p.LogLines, int(total/(500*time.Millisecond)), 1)
	logged := 0
	for i := range steps {
		if total > 0 && !ctx.Sleep(time.Until(start.Add(total*time.Duration(i+1)/time.Duration(steps)))) {
			return false
		}
		for ; logged < p.LogLines*(i+1)/steps; logged++ {
			ctx.Log("line %d of %d: %s", logged+1, p.LogLines, p.Message)
		}
		if total > 0 {
			ctx.Progress(float64(i+1)/float64(steps), "step %d of %d", i+1, steps)
		}
	}
	return true
}
