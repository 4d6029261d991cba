// Command build compiles the built-in plugins into wasmplugins/builtin/dist,
// from where they are embedded. Run it from anywhere in the source folder:
//
//	go run ./wasmplugins/builtin/build [name ...]
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"octopus/wasmplugins/builtin/bundle"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only []string) error {
	var mu sync.Mutex
	start, fresh := time.Now(), 0
	built, err := bundle.Build(ctx, bundle.Config{Only: only, OnDone: func(b bundle.Built) {
		mu.Lock()
		defer mu.Unlock()
		if b.Fresh {
			fresh++
			fmt.Printf("plugin %-12s %6d KB, %5d KB compressed, %.1f s\n", b.Name, b.Module/1000, b.Archive/1000, b.Duration.Seconds())
		}
	}})
	if err != nil {
		return err
	}
	fmt.Printf("plugins: %d built, %d up to date, %.1f s\n", fresh, len(built)-fresh, time.Since(start).Seconds())
	return nil
}
