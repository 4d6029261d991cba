package cli

import (
	"encoding/json"
	"time"

	"github.com/spf13/pflag"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// sandboxFlags say in what sandbox something runs, as they were typed.
type sandboxFlags struct {
	sandbox, clock, seed string
}

// register adds the flags. standard is what holds where one is left out, "" for no sandbox in particular, the real
// clock and real random numbers.
func (s *sandboxFlags) register(f *pflag.FlagSet, standard string) {
	or := func(own string) string {
		if standard != "" {
			own = standard
		}
		return " (default " + own + ")"
	}
	f.StringVar(&s.sandbox, "sandbox", "", "run only where the sandbox is at least basic, process, filtered or full"+or("anywhere"))
	f.StringVar(&s.clock, "clock", "", "freeze the plugin's clock, as in 2026-01-01T00:00:00Z; sleeping moves it"+or("the real one"))
	f.StringVar(&s.seed, "seed", "", "seed the plugin's random numbers, with a number"+or("real ones"))
}

// sandboxed checks the level and reads clock and seed.
func (s *sandboxFlags) sandboxed() (clock time.Time, seed *uint64, err error) {
	if octopus.CheckSandbox(octopus.SandboxLevel(s.sandbox)) != nil {
		return clock, nil, oneOf("sandbox", s.sandbox, "basic", "process", "filtered", "full")
	}
	if clock, err = clockOf(s.clock); err != nil {
		return clock, nil, err
	}
	seed, err = seedOf(s.seed)
	return clock, seed, err
}

// changes returns what the flags that were given change of a task; an empty value takes back what the task asks for.
func (s *sandboxFlags) changes(given func(flag string) bool) (level *string, clock, seed json.RawMessage, err error) {
	at, number, err := s.sandboxed()
	if err != nil {
		return nil, nil, nil, err
	}
	if given("sandbox") {
		level = &s.sandbox
	}
	if given("clock") {
		clock = json.RawMessage("null")
		if !at.IsZero() {
			clock = sdk.JSON(at)
		}
	}
	if given("seed") {
		seed = sdk.JSON(number)
	}
	return level, clock, seed, nil
}
