package agent

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Config is what an agent is started with. Only Data is always needed; Server and a token are needed until the
// data folder holds an identity.
type Config struct {
	// Server is the base URL, such as https://octopus.example.com. Defaults to the one of the identity.
	Server string
	// Token is a join token, TokenFile a file that holds one. Both are read only while the data folder has no
	// key, so that a unit file that still names a spent token does no harm.
	Token     string
	TokenFile string
	// Data is the folder of the key, the journal and the caches. Created 0700.
	Data string
	// Name is the wish for a name. Defaults to the machine's host name.
	Name string
	// Labels are reported on each connect.
	Labels map[string]string
	// Slots is how many executions run at a time. Defaults to the number of CPUs, at least 2.
	Slots int
	// CAFile holds further roots to trust for the server, PEM. Defaults to the system's roots.
	CAFile string
	// Policy is the owner's policy file. Defaults to none: what was granted is allowed, except exec and files.
	Policy string
	// Insecure allows plain http to a server that is not on this machine. Danger: the channel can be read.
	Insecure bool
	// Log gets what operators should know. Defaults to silence.
	Log *slog.Logger
	// Version is reported to the server.
	Version string
	// Runner is the argv that starts a runner. Defaults to this program with the argument "runner".
	Runner []string
	// StopGrace is how long running executions may go on after Run's context ended. Defaults to 10 s.
	StopGrace time.Duration
	// CacheBytes bounds the modules kept on disk. Defaults to 512 MiB.
	CacheBytes int64
	// MinFree is the free disk space in bytes below which no offer is taken. Defaults to 32 MiB.
	MinFree int64

	restAfter time.Duration // see rest
}

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

func (c Config) withDefaults() Config {
	if c.Slots <= 0 {
		c.Slots = max(2, runtime.NumCPU())
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Data == "" {
		c.Data = DefaultData()
	}
	if c.StopGrace <= 0 {
		c.StopGrace = 10 * time.Second
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 512 << 20
	}
	if c.restAfter <= 0 {
		c.restAfter = 10 * time.Second
	}
	if c.MinFree <= 0 {
		c.MinFree = 32 << 20
	}
	return c
}
