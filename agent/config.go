package agent

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"octopus/agent/link"
	"octopus/agent/policy"
	"octopus/internal/logging"
	"octopus/internal/octopus"
)

// Config is what an agent is started with. Server and a token are needed until the data folder holds an identity.
// [Defaults] is where to begin; the zero value of a field stands for its default too. The tags are the keys of the
// configuration file: see package settings.
type Config struct {
	// Server is the address of the server, such as https://octopus.example.com. Defaults to the one of the identity.
	Server string `key:"agent.server"`
	// Token is a join token; it is read only while the data folder holds no key. Defaults to none.
	Token string `key:"agent.token" secret:"yes"`
	// TokenFile is a file that holds the join token; a unit file that still names a spent one does no harm. Defaults
	// to none.
	TokenFile string `key:"agent.token_file"`
	// Data is the folder of the agent's key, journal and caches. Defaults to a folder of the system or the user.
	Data string `key:"agent.data"`
	// Name is the name to ask for: without spaces and slashes, and taken as it is. Defaults to the host name, with a dash
	// for what is not a letter, digit, dot, dash or _ of ASCII.
	Name string `key:"agent.name"`
	// Labels are labels k=v that are reported on each connect; names as in selectors. Defaults to none.
	Labels map[string]string `key:"agent.labels" flag:"label"`
	// Slots is how many executions run at a time. Defaults to twice the CPUs, at least 8, fewer where memory is short.
	Slots int `key:"agent.slots"`
	// CAFile is a PEM file with further authorities to trust for the server. Defaults to the system's.
	CAFile string `key:"agent.ca_file"`
	// Policy is the file with what this machine's owner allows. Defaults to what was granted, except exec and files.
	Policy string `key:"agent.policy"`
	// AllowScripts lets plugins that were granted it run scripts here, outside the sandbox, with the rights of the
	// agent's user. Defaults to false.
	AllowScripts bool `key:"agent.allow_scripts"`
	// Insecure allows plain http to a server on another machine; the connection can be read. Defaults to false.
	Insecure bool `key:"agent.insecure"`
	// Transport is how the server is reached: auto tries a WebSocket and falls back to HTTP long polls where none comes
	// through, websocket never falls back, http never tries. Defaults to auto.
	Transport string `key:"agent.transport"`
	// StopGrace is how long what runs may go on after the agent was told to stop. Defaults to 10s.
	StopGrace time.Duration `key:"agent.stop_grace"`
	// CacheBytes bounds the modules that are kept on disk. Defaults to 512MiB.
	CacheBytes int64 `key:"agent.cache_size"`
	// MinFree is the free disk space below which no work is taken. Defaults to 32MiB.
	MinFree int64 `key:"agent.min_free"`
	// Logging says what is logged, how and where, for whoever makes Log.
	Logging logging.Config `prefix:"agent.log_" flags:"log-"`

	// Log gets what operators should know. Defaults to silence.
	Log *slog.Logger
	// Version is reported to the server.
	Version string
	// Runner is the argv that starts a runner. Defaults to this program with the argument "runner".
	Runner []string

	restAfter  time.Duration // see rest
	probeAfter time.Duration // see route.first
}

// transportAuto is the Transport that decides by itself.
const transportAuto = "auto"

// ErrRestart is returned by Run after the server asked for a restart and everything was reported. The caller
// executes the program again.
var ErrRestart = errors.New("the server asked this agent to restart")

// DefaultData is where an agent keeps its things when nothing else was said: the systemd state directory when
// there is one, else a folder of the user.
func DefaultData() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "Octopus", "agent")
	}
	if os.Geteuid() == 0 {
		return "/var/lib/octopus-agent"
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "octopus-agent"
	}
	return filepath.Join(dir, "octopus-agent")
}

// Defaults is what the comments of Config say.
func Defaults() Config {
	return Config{
		Data: DefaultData(), Slots: defaultSlots(runtime.NumCPU(), totalMemory()), Transport: transportAuto, StopGrace: 10 * time.Second,
		CacheBytes: 512 << 20, MinFree: 32 << 20, Logging: logging.Defaults(),
	}
}

func (c Config) withDefaults() Config {
	d := Defaults()
	c.Data, c.Slots = cmp.Or(c.Data, d.Data), cmp.Or(c.Slots, d.Slots)
	c.StopGrace, c.CacheBytes, c.MinFree = cmp.Or(c.StopGrace, d.StopGrace), cmp.Or(c.CacheBytes, d.CacheBytes), cmp.Or(c.MinFree, d.MinFree)
	c.Transport = cmp.Or(c.Transport, d.Transport)
	c.Logging = cmp.Or(c.Logging, d.Logging)
	c.restAfter = cmp.Or(c.restAfter, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxSlots is as many executions as one machine can sensibly run at a time.
const maxSlots = 4096

// Validate returns every problem of c at once, a sentence each, joined. A value that [Defaults] has and c lacks is
// one.
func (c Config) Validate() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Server != "" {
		problems = append(problems, reachable(link.Config{Server: c.Server, Insecure: c.Insecure}))
	}
	if c.CAFile != "" {
		problems = append(problems, reachable(link.Config{Server: "https://localhost", CAFile: c.CAFile}))
	}
	if c.Policy != "" {
		_, err := policy.Load(c.Policy)
		problems = append(problems, err)
	}
	if c.Data == "" {
		problem("agent.data (--data) must name a folder.")
	}
	if c.Name != "" {
		if err := octopus.CheckAgentName(c.Name); err != nil {
			problem("agent.name (--name): %s", octopus.Sentence(err))
		}
	}
	if err := octopus.CheckLabels(c.Labels); err != nil {
		problem("agent.labels (--label): %s", octopus.Sentence(err))
	}
	if c.Slots < 1 || c.Slots > maxSlots {
		problem("agent.slots (--slots) is %d, but must be 1 to %d.", c.Slots, maxSlots)
	}
	if !slices.Contains([]string{transportAuto, string(octopus.TransportWebSocket), string(octopus.TransportHTTP)}, c.Transport) {
		problem("agent.transport (--transport) is %q, but must be auto, websocket or http.", c.Transport)
	}
	if c.StopGrace < time.Millisecond || c.StopGrace > time.Hour {
		problem("agent.stop_grace (--stop-grace) must be 1ms to 1h.")
	}
	if c.CacheBytes < 1<<20 {
		problem("agent.cache_size (--cache-size) must be at least 1MiB.")
	}
	if c.MinFree < 1<<20 {
		problem("agent.min_free (--min-free) must be at least 1MiB.")
	}
	return errors.Join(append(problems, c.Logging.Validate("agent.log_"))...)
}

// reachable checks an address, or the authorities for it, without a connection.
func reachable(c link.Config) error {
	client, err := link.New(c)
	if err == nil {
		client.Close()
	}
	return err
}
