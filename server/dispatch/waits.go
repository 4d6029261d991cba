package dispatch

import (
	"context"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// maxExplained is how many waiting executions have their reason looked at in one sweep.
const maxExplained = 1000

// explainWaits brings the reasons of queued executions up to date. It reads only when a reason can have changed,
// and writes only those that did.
func (d *Dispatcher) explainWaits(ctx context.Context) {
	reasons := make(map[string][2]string)
	page := store.Page{Limit: store.MaxLimit}
	for range maxExplained / store.MaxLimit {
		list, next, err := d.store.Executions(ctx, store.ExecutionFilter{Statuses: []octopus.Status{octopus.Queued}}, page)
		if err != nil {
			return // the next sweep tries again
		}
		for _, x := range list {
			key := backlogKey(x)
			if _, ok := reasons[key]; !ok {
				code, message := d.why(x)
				reasons[key] = [2]string{code, message}
			}
			d.explain(x, reasons[key])
		}
		if page.Cursor = next; next == "" {
			return
		}
	}
}

// explain writes a reason that has changed.
func (d *Dispatcher) explain(x octopus.Execution, reason [2]string) {
	if w := x.Waiting; w != nil && (w.Code == reason[0] && w.Message == reason[1] || w.Code == "retry") {
		return
	}
	e := event{kind: evWaiting, code: reason[0], message: reason[1]}
	d.background(x.ID, func(ctx context.Context) { d.tell(d.step(ctx, x.ID, e)) })
}

// moreToExpand goes on with fan-outs that an earlier process began.
func (d *Dispatcher) moreToExpand(ctx context.Context) {
	ids, err := d.store.UnexpandedRuns(ctx)
	if err != nil {
		d.cfg.Log.Warn("fan-outs not read", "err", err)
		return
	}
	for _, id := range ids {
		d.expand(id)
	}
}
