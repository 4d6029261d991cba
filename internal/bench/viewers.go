package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"octopus/sdk"
)

// Viewers says how many browsers watch, and how often something changes under them.
type Viewers struct {
	// Server is the base URL, Token an API token.
	Server, Token string
	// N is the number of streams. Defaults to 1,000.
	N int
	// Rate is how many no-op runs are started a second. Defaults to 2.
	Rate float64
	// Duration of the load. Defaults to 15 s.
	Duration time.Duration
	// API reads the events of the REST API instead of the pages' stream. The pages' stream needs a sign-in link,
	// which servers give out on their own machine only.
	API bool
	// Topics of the stream. Defaults to "executions".
	Topics string
}

// ViewersResult is what it took.
type ViewersResult struct {
	Viewers      int            `json:"viewers"`
	Stream       string         `json:"stream"` // pages or api
	Seconds      float64        `json:"seconds"`
	Updates      int            `json:"updates"` // runs that were started
	Messages     int64          `json:"messages"`
	FirstMessage Percentiles    `json:"first_message"` // from before the run was started to each viewer's first word of it
	Server       *Process       `json:"server,omitempty"`
	CPUPerUnit   float64        `json:"server_cpu_us_per_message,omitempty"`
	Failures     map[string]int `json:"failures,omitempty"`
}

func (v Viewers) withDefaults() Viewers {
	if v.N <= 0 {
		v.N = 1000
	}
	if v.Rate <= 0 {
		v.Rate = 2
	}
	if v.Duration <= 0 {
		v.Duration = 15 * time.Second
	}
	if v.Topics == "" {
		v.Topics = "executions"
	}
	return v
}

// audience is the load while it is on.
type audience struct {
	Viewers
	http     *http.Client
	messages atomic.Int64
	latency  samples
	failed   failures
	begun    sync.Map // update number (int64) → time before it was started
	update   atomic.Int64
}

// Run opens the streams, starts runs under them, and counts what arrives.
func (v Viewers) Run(ctx context.Context) (ViewersResult, error) {
	v = v.withDefaults()
	a := &audience{Viewers: v, http: httpClient(v.N, false)}
	client := sdk.New(v.Server, v.Token, sdk.WithUserAgent("octopus-bench"))
	defer client.Close()
	if !v.API {
		door, err := signIn(ctx, client, false)
		if err != nil {
			return ViewersResult{}, err
		}
		door.CloseIdleConnections()
		a.http.Jar = door.Jar // its cookie serves all viewers
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var viewers sync.WaitGroup
	var ready sync.WaitGroup
	ready.Add(v.N)
	for range v.N {
		viewers.Go(func() { a.view(watching, ready.Done) })
	}
	ready.Wait()
	if n := a.failed.total(); n > 0 {
		stop()
		viewers.Wait()
		return ViewersResult{}, fmt.Errorf("%d of %d streams did not open: %v", n, v.N, a.failed.all())
	}
	pid, _ := ServerPID(v.Server)
	a.messages.Store(0)
	process, started := startMeter(pid), time.Now()
	err := a.updates(ctx, client)
	r := ViewersResult{
		Viewers: v.N, Stream: "pages", Seconds: time.Since(started).Seconds(), Updates: int(a.update.Load()),
		Messages: a.messages.Load(), Server: process.stop(),
	}
	stop()
	viewers.Wait()
	if v.API {
		r.Stream = "api"
	}
	r.FirstMessage, r.Failures = a.latency.percentiles(), a.failed.all()
	if r.Server != nil && r.Messages > 0 {
		r.CPUPerUnit = 1e6 * r.Server.CPUSeconds / float64(r.Messages)
	}
	return r, err
}

// view reads one stream until ctx ends.
func (a *audience) view(ctx context.Context, ready func()) {
	body, err := a.open(ctx)
	if err != nil {
		a.failed.add(err)
		ready()
		return
	}
	defer body.Close()
	ready()
	lines := bufio.NewReaderSize(body, 4<<10)
	seen, inMessage := int64(0), false
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue // the rest of a long line
		}
		if err != nil {
			if ctx.Err() == nil {
				a.failed.add(fmt.Errorf("stream: %w", err))
			}
			return
		}
		switch {
		case strings.HasPrefix(string(line), "data:"):
			inMessage = true
		case inMessage && len(strings.TrimSpace(string(line))) == 0:
			inMessage = false
			a.messages.Add(1)
			if now := a.update.Load(); now > seen {
				seen = now
				if at, ok := a.begun.Load(now); ok {
					a.latency.add(time.Since(at.(time.Time)))
				}
			}
		}
	}
}

func (a *audience) open(ctx context.Context) (io.ReadCloser, error) {
	path := "/events"
	if a.API {
		path = "/api/v1/events"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Server+path+"?topics="+url.QueryEscape(a.Topics), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if a.API {
		req.Header.Set("Authorization", "Bearer "+a.Token)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		res.Body.Close()
		return nil, fmt.Errorf("stream: %s, %s", res.Status, kind)
	}
	return res.Body, nil
}

// updates starts runs at the rate until the time is over, and a second later returns.
func (a *audience) updates(ctx context.Context, c *sdk.Client) error {
	tick := time.NewTicker(time.Duration(float64(time.Second) / a.Rate))
	defer tick.Stop()
	end := time.NewTimer(a.Duration)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			pause(ctx, time.Second) // what is under way arrives
			return nil
		case <-tick.C:
			a.begun.Store(a.update.Load()+1, time.Now())
			a.update.Add(1)
			if _, err := c.StartRun(ctx, sdk.StartRun{Work: sdk.Work{Plugin: "noop", Action: "run"}}); err != nil {
				a.failed.add(err)
			}
		}
	}
}
