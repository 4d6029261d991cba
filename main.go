// Octopus runs tasks on machines you cannot reach: one binary is server, agent, plugin tool and command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"octopus/internal/cli"
	"octopus/wasmplugins"
)

func main() {
	// A runner is started for nearly every cold execution: it must not pay for what the other commands need.
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the program at once
	}()
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
