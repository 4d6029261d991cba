package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"octopus/agent/broker"
	"octopus/agent/core"
	"octopus/agent/journal"
	"octopus/agent/link"
	"octopus/agent/modules"
	"octopus/agent/policy"
	"octopus/agent/service"
	"octopus/agent/spool"
	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/wasmplugins"
)

// Agent is one machine's share of Octopus. Its loop goroutine owns the core and everything that is not marked
// otherwise; the connect goroutine reads the socket; each execution has a worker.
type Agent struct {
	config Config         // static
	policy *policy.Policy // static
	folder *folder        // static
	id     identity       // static once Run has enrolled

	client      *link.Client // static once Run has begun, as the rest of this block
	incarnation string       // random per process
	clock       func() time.Duration
	journal     *journal.Journal
	logs        *spool.Spool
	modules     *modules.Cache
	moduleRoot  *os.Root
	spoolRoot   *os.Root
	filesRoot   *os.Root
	outputs     outputs
	blobs       *blobs
	pool        *wasmplugins.Pool
	calls       *calls
	broadcast   *broadcasts
	scripts     *broker.Scripts // nil where the owner allows none
	status      *statusFile

	events  chan core.Event // to the loop; senders wait while it is full
	jobs    sync.WaitGroup  // workers and uploads
	begun   atomic.Int64    // grows with each execution and prefetch
	running context.Context // of workers; ends after the loop did

	core    *core.Core                 // owned by the loop
	lease   atomic.Pointer[core.Lease] // the core's, for workers
	held    map[core.Key]*held         // owned by the loop
	session *session                   // guarded by mu
	mu      sync.Mutex
	syncs   chan struct{} // asks for a sync of the journal; one waiting is enough
	broken  chan error    // the journal can keep nothing more: the loop ends; one is enough
	durable func(*os.Root) disk.Folder
	fetches chan wire.Module
	trust   *trust // of the server's keys
}

// held is what the shell knows of one execution.
type held struct {
	offer  *wire.Offer
	since  time.Time
	job    *job // nil before the go and after a restart
	staged bool // an earlier process may have staged files
}

// hasFiles says whether there may be staged files.
func (h *held) hasFiles() bool { return h.staged || h.job != nil && h.job.staged }

// New checks the configuration and opens the data folder, which it locks: one agent per folder. Errors are for
// people. Without a following Run the agent is to be closed.
func New(c Config) (*Agent, error) {
	c = c.withDefaults()
	err := c.Validate()
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s", err)
	}
	a := &Agent{config: c, durable: disk.Root}
	if c.Policy != "" {
		if a.policy, err = policy.Load(c.Policy); err != nil {
			return nil, err
		}
	}
	// Before the key is read: no other process of this user may look into this one.
	if err := wasmplugins.HideMemory(); err != nil {
		return nil, fmt.Errorf("hide the agent's memory: %w", err)
	}
	if a.folder, err = openFolder(c.Data); err != nil {
		return nil, err
	}
	return a, nil
}

// Close gives the data folder back. Run does it by itself.
func (a *Agent) Close() { a.folder.close() }

// Run enrols where that is still to be done, connects, and works until ctx ends or the server asks for a restart
// ([ErrRestart]). It returns when everything it started has ended. Lost connections are no errors: it tries again.
func (a *Agent) Run(ctx context.Context) error {
	return service.Run(ctx, a.run)
}

func (a *Agent) run(ctx context.Context) error {
	defer a.Close()
	restored, err := a.open(ctx)
	defer a.release()
	if err != nil {
		return err
	}
	a.core = core.New(core.Config{Slots: a.config.Slots, Admit: a.admit}, restored)

	// Workers outlive ctx: they are to finish, or to be killed by the core after the grace.
	running, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	a.running = running
	helpers, end := context.WithCancel(running)
	defer end()
	var wg sync.WaitGroup
	for _, helper := range []func(context.Context){a.connect, a.syncJournal, a.prefetch, a.status.run, a.rest} {
		wg.Go(func() { helper(helpers) })
	}
	err = a.loop(ctx)
	a.wind(func() {
		a.farewell()
		kill()
		a.jobs.Wait()
		wg.Wait()
	})
	if errors.Is(err, core.ErrRestart) {
		return ErrRestart
	}
	return err
}

// wind ends what runs beside the loop, whose events nobody needs any more.
func (a *Agent) wind(end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		end()
	}()
	for {
		select {
		case <-a.events:
		case <-done:
			return
		}
	}
}

// farewell lets the open socket send what is queued, for at most 2 s.
func (a *Agent) farewell() {
	s := a.current()
	if s == nil {
		return
	}
	close(s.goodbye)
	select {
	case <-s.done:
	case <-time.After(2 * time.Second):
	}
}

// open makes everything that Run stands on. What was opened is closed by release, also after an error.
func (a *Agent) open(ctx context.Context) ([]core.Restored, error) {
	a.clock = newClock()
	a.incarnation = newIncarnation()
	a.events = make(chan core.Event, 256)
	a.syncs = make(chan struct{}, 1)
	a.broken = make(chan error, 1)
	a.fetches = make(chan wire.Module, 64)
	a.held = map[core.Key]*held{}
	a.calls = newCalls(a.transmit)
	a.broadcast = newBroadcasts()
	a.status = newStatusFile(a)
	if err := a.identify(ctx); err != nil {
		return nil, err
	}
	if err := a.openStores(); err != nil {
		return nil, err
	}
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: filepath.Join(a.folder.path, dirSandbox), Executable: a.config.Runner,
		MaxRunners: a.config.Slots + 2, Load: a.modules.Load, Log: a.config.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	a.pool = pool
	level := pool.Level()
	a.config.Log.Info("sandbox ready", "level", level.Name, "missing", level.Missing, "without", level.Without)
	return a.restore()
}

func (a *Agent) openStores() error {
	spoolRoot, err := a.folder.sub(dirSpool)
	if err != nil {
		return err
	}
	a.spoolRoot = spoolRoot
	if a.blobs, err = openBlobs(disk.Root(spoolRoot)); err != nil {
		return err
	}
	if a.logs, err = spool.Open(disk.Root(spoolRoot), 0, time.Now); err != nil {
		return err
	}
	if a.moduleRoot, err = a.folder.sub(dirModules); err != nil {
		return err
	}
	if a.modules, err = modules.Open(a.moduleRoot, a.config.CacheBytes, a.fetchModule, a.trust.believe); err != nil {
		return err
	}
	if a.filesRoot, err = a.folder.sub(dirFiles); err != nil {
		return err
	}
	a.outputs = outputs{disk.Root(a.filesRoot)}
	if err := a.openArtifacts(); err != nil {
		return err
	}
	return a.openScripts()
}

// restore reads the journal of the process before this one.
func (a *Agent) restore() ([]core.Restored, error) {
	j, entries, err := journal.Open(a.durable(a.folder.root), fileJournal, 0)
	if err != nil {
		return nil, err
	}
	a.journal = j
	var restored []core.Restored
	for _, e := range entries {
		restored = append(restored, core.Restored{Offer: e.Offer, Attempt: e.Attempt, Started: e.Started, Result: e.Result})
		a.held[core.Key{Execution: e.Offer.Execution, Fence: e.Offer.Fence}] = &held{offer: e.Offer, since: time.Now(), staged: true}
	}
	if len(restored) > 0 {
		a.config.Log.Info("the journal holds executions of an earlier process", "count", len(restored))
	}
	return restored, nil
}

// release closes what open opened.
func (a *Agent) release() {
	if a.pool != nil {
		a.pool.Close()
	}
	if a.journal != nil {
		if err := a.journal.Close(); err != nil {
			a.config.Log.Error("close journal", "err", err)
		}
	}
	if a.logs != nil {
		a.logs.Close()
	}
	for _, root := range []*os.Root{a.spoolRoot, a.filesRoot, a.moduleRoot} {
		if root != nil {
			root.Close()
		}
	}
	if a.client != nil {
		a.client.Close()
	}
}

// ServiceConfig is what an installed service starts with.
type ServiceConfig = service.Config

// InstallService makes the agent start with the machine and starts it. It needs root, or an administrator.
// Progress goes to w; errors are for people.
func InstallService(c ServiceConfig, w io.Writer) error { return service.Install(c, w) }

// UninstallService stops and removes the service. The data folder stays.
func UninstallService(name string, w io.Writer) error { return service.Uninstall(name, w) }
