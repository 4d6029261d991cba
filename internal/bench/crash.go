package bench

import (
	"context"
	"fmt"
	"time"

	"octopus/sdk"
)

// Return is how a fleet came back after its server was killed.
type Return struct {
	DownSeconds  float64        `json:"down_seconds"`  // from the kill to the new process
	ReadySeconds float64        `json:"ready_seconds"` // from the new process to its address
	BackSeconds  float64        `json:"back_seconds"`  // from there until the server says that all are online
	Back         Percentiles    `json:"back"`          // from there until each one's welcome
	ConnectRate  Rate           `json:"connect_rate"`
	Page         Percentiles    `json:"agents_page"` // answers meanwhile
	API          Percentiles    `json:"agents_api"`
	Server       *Process       `json:"server,omitempty"`
	Work         Kept           `json:"work"`
	Failures     map[string]int `json:"failures,omitempty"` // the agents', from the kill on, and those of the page and the API
}

// Kept is what became of the executions that ran when the server was killed.
type Kept struct {
	Running int            `json:"running"` // when it was killed
	Ended   map[string]int `json:"ended"`   // executions by status, after all
	Lost    int            `json:"lost"`    // not ended as succeeded
	Doubled int            `json:"doubled"` // begun once too often
	Refused int            `json:"refused"` // results that the server did not want
}

// backWithin bounds the wait for all agents; the goal for ten thousand is a minute.
const backWithin = 5 * time.Minute

// crash kills the server under the connected agents and watches them come back.
func (f *fleet) crash(ctx context.Context) (*Return, error) {
	runs, err := f.startWork(ctx)
	if err != nil {
		return nil, fmt.Errorf("work before the crash: %w", err)
	}
	door, err := signIn(ctx, f.client, f.Insecure)
	if err != nil {
		return nil, err
	}
	f.Progress("killing the server under %d agents and %d running executions", f.N, len(runs))
	f.failed.reset()
	f.World.Kill()
	killed := time.Now()
	if !pause(ctx, f.Down) {
		return nil, ctx.Err()
	}
	r := &Return{DownSeconds: time.Since(killed).Seconds()}
	f.arrivals.expect()
	if err := f.World.Serve(ctx); err != nil {
		return nil, err
	}
	r.ReadySeconds = f.World.Ready.Seconds()
	meter, ready := startMeter(f.World.ServerPID()), time.Now()
	early := f.arrivals.restart()
	watching, stop := context.WithCancel(ctx)
	page, api := f.watch(watching, door)
	err = f.World.Until(ctx, backWithin, func(o sdk.Overview) bool { return o.AgentsUp == f.N })
	stop()
	if err != nil {
		return nil, fmt.Errorf("after the crash: %w; of the agents %d say that they are connected, failures: %v", err, f.online.Load(), f.failed.all())
	}
	r.BackSeconds, r.Server = time.Since(ready).Seconds(), meter.stop()
	r.Back, r.ConnectRate = f.arrivals.percentiles(), f.arrivals.rate()
	r.Page, r.API = page(), api()
	if early > 0 {
		f.Progress("%d came before the server said that it was ready", early)
	}
	if r.Work, err = f.endOfWork(ctx, runs); err != nil {
		return nil, err
	}
	r.Failures = f.failed.all()
	return r, nil
}

// startWork starts one execution for each agent with a slot, and returns when all run.
func (f *fleet) startWork(ctx context.Context) (runs []string, err error) {
	runs = make([]string, f.Work)
	err = each(ctx, f.Work, 16, func(ctx context.Context, i int) error {
		run, err := f.client.StartRun(ctx, sdk.StartRun{Work: sdk.Work{
			Plugin: "noop", Action: "run", Target: sdk.Target{Selector: "bench=1"}, TimeoutSeconds: 600,
		}})
		runs[i] = run.ID
		return err
	})
	for deadline := time.Now().Add(time.Minute); err == nil; {
		if started, _, _ := f.journal.tally(); started == f.Work {
			return runs, nil
		}
		if !pause(ctx, 50*time.Millisecond) || time.Now().After(deadline) {
			started, _, _ := f.journal.tally()
			return runs, fmt.Errorf("only %d of %d executions run", started, f.Work)
		}
	}
	return runs, err
}

// endOfWork lets the executions end and compares what the server knows with what the agents did.
func (f *fleet) endOfWork(ctx context.Context, runs []string) (Kept, error) {
	close(f.journal.released)
	kept := Kept{Running: len(runs), Ended: map[string]int{}}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, id := range runs {
		if _, err := f.client.WaitRun(ctx, id); err != nil {
			return kept, fmt.Errorf("run %s: %w", id, err)
		}
		list, err := f.client.RunExecutions(ctx, id, sdk.List{})
		if err != nil {
			return kept, fmt.Errorf("run %s: %w", id, err)
		}
		for _, x := range list.Items {
			kept.Ended[x.Status]++
		}
	}
	kept.Lost = len(runs) - kept.Ended["succeeded"]
	_, kept.Doubled, kept.Refused = f.journal.tally()
	return kept, nil
}
