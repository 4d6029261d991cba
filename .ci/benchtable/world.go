package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"octopus/internal/bench"
)

// load runs `octopus bench …` against a world, or on a server of its own where that is nil, and decodes its result.
func load(ctx context.Context, binary string, w *bench.World, into any, args ...string) error {
	fmt.Fprintf(os.Stderr, "octopus bench %s\n", strings.Join(args, " "))
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, append([]string{"bench"}, args...)...)
	cmd.Stderr = &errs
	if w != nil {
		cmd.Env = append(os.Environ(), "OCTOPUS_URL="+w.URL, "OCTOPUS_API_TOKEN="+w.Token)
	}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("octopus bench %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("result %q: %w", out, err)
	}
	return nil
}
