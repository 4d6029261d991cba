//go:build linux

package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopWithin is how long a process may take to stop when it is asked to: an agent lets work finish for 10 s.
const stopWithin = 40 * time.Second

// targets lists by class what faults can be done to.
func (w *world) targets() map[string][]string {
	list := make(map[string][]string)
	add := func(class string, n int) {
		for i := range n {
			list[class] = append(list[class], class+"-"+strconv.Itoa(i))
		}
	}
	add("server", len(w.servers))
	add("agent", len(w.agents))
	add("link", len(w.links))
	add("door", len(w.doors))
	if w.cable != nil {
		add("cable", 1)
	}
	for _, name := range []string{"server-0", w.agentName(0)} {
		if w.disks[name] != "" {
			list["disk"] = append(list["disk"], "disk-"+name)
		}
	}
	maps.DeleteFunc(list, func(class string, _ []string) bool { return w.o.Only != nil && !slices.Contains(w.o.Only, class) })
	return list
}

// inflict carries the plan out and returns how many faults of each kind there were, when all have healed.
func (w *world) inflict(ctx context.Context, faults []fault) map[string]int {
	began := time.Now()
	counts := make(map[string]int)
	var wg sync.WaitGroup
	for _, f := range faults {
		if !pause(ctx, time.Until(began.Add(f.at))) {
			break
		}
		counts[class(f.target)+" "+f.kind]++
		w.note("%s %s for %s", f.kind, f.target, f.lasts.Round(time.Millisecond))
		w.hurt(f.target, time.Now().Add(f.lasts+time.Minute)) // until it is known to be over
		wg.Go(func() {
			w.one(ctx, f)
			w.mu.Lock()
			w.unwell[f.target] = time.Now()
			w.mu.Unlock()
			w.note("healed: %s %s", f.kind, f.target)
		})
	}
	wg.Wait()
	return counts
}

// note writes a line of the story, which is printed when the test fails.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// pause waits, false: ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// one does one fault and heals it.
func (w *world) one(ctx context.Context, f fault) {
	kind := strings.TrimSuffix(f.kind, "-long")
	i, _ := strconv.Atoi(f.target[strings.LastIndexByte(f.target, '-')+1:])
	switch class(f.target) {
	case "server":
		w.process1(ctx, w.servers[i], kind, f.lasts, func() { w.answers(ctx, i) })
	case "agent":
		w.process1(ctx, w.agents[i], kind, f.lasts, func() {})
	case "link":
		w.link(ctx, w.links[i], kind, f.lasts)
		w.move(i)
	case "door":
		w.link(ctx, w.doors[i], kind, f.lasts)
	case "cable":
		w.pull(ctx, f.lasts)
	case "disk":
		w.fill(ctx, w.disks[strings.TrimPrefix(f.target, "disk-")], f.lasts)
	}
}

// process1 hurts a process and has it running again at the end.
func (w *world) process1(ctx context.Context, p *process, kind string, lasts time.Duration, ready func()) {
	switch kind {
	case "freeze":
		p.freeze()
		pause(ctx, lasts)
		p.thaw()
		return
	case "stop":
		if p.end(syscall.SIGTERM, stopWithin) {
			w.t.Errorf("%s did not stop within %s", p.name, stopWithin)
		}
	default:
		p.kill()
	}
	w.keepJournal(p)
	pause(ctx, lasts)
	if err := p.start(); err != nil {
		w.t.Error(err)
	}
	ready()
}

// answers waits until a server that was started answers.
func (w *world) answers(ctx context.Context, i int) {
	for deadline := time.Now().Add(30 * time.Second); ctx.Err() == nil && time.Now().Before(deadline); pause(ctx, 20*time.Millisecond) {
		asked, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := w.direct(i).Me(asked)
		cancel()
		if err == nil {
			return
		}
	}
}

// move sends an agent that keeps to one server to another one, every second time, and cuts its connections.
func (w *world) move(i int) {
	if h := w.homes[i]; h != nil && rand.N(2) == 0 {
		h.move()
		w.links[i].Reset()
	}
}

func (w *world) link(ctx context.Context, p *Proxy, kind string, lasts time.Duration) {
	switch kind {
	case "lose-up":
		p.Set(Lose, Pass)
	case "lose-down":
		p.Set(Pass, Lose)
	case "lose":
		p.Set(Lose, Lose)
	case "hold":
		p.Set(Hold, Hold)
	case "delay":
		p.Set(Delay, Delay)
	case "slow":
		p.Set(Slow, Slow)
	case "reset":
		p.Reset()
		return
	}
	pause(ctx, lasts)
	p.Set(Pass, Pass)
}

// fill fills a disk to its last byte for some time.
func (w *world) fill(ctx context.Context, disk string, lasts time.Duration) {
	path := filepath.Join(disk, "ballast")
	file, err := os.Create(path)
	if err != nil {
		return // it is full already
	}
	for size := 4 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	file.Close()
	pause(ctx, lasts)
	os.Remove(path)
}
