// Command build compiles the built-in plugins into wasmplugins/builtin/dist,
// from where they are embedded. Run it from anywhere in the source folder:
//
//	go run ./wasmplugins/builtin/build [name ...]
//
// With -recompile it first compiles those that are written in Rust and C,
// whose modules are committed beside their sources; that needs their compilers.
package main

import (
	"context"
	"flag"
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
	anew := flag.Bool("recompile", false, "compile the plugins in Rust and C anew, too")
	flag.Parse()
	err := error(nil)
	if *anew {
		err = recompile(ctx, flag.Args())
	}
	if err == nil {
		err = run(ctx, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func recompile(ctx context.Context, only []string) error {
	list, err := bundle.Recompile(ctx, bundle.Config{Only: only})
	if err != nil {
		return err
	}
	for _, r := range list {
		if err := r.Commit(""); err != nil {
			return err
		}
		fmt.Printf("plugin %-12s %6d KB, %s\n", r.Name, len(r.Module)/1000, r.Compiler)
	}
	return nil
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
