package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"octopus/server/bus"
	"octopus/server/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func stats(c *cache.Cache, r cache.Region) cache.RegionStats {
	for _, s := range c.Stats() {
		if s.Region == r {
			return s
		}
	}
	return cache.RegionStats{}
}

func TestGetSet(t *testing.T) {
	t.Parallel()
	c := cache.New(nil, map[cache.Region]time.Duration{cache.Users: time.Hour})
	if _, ok := cache.Get[string](c, cache.Users, "ada"); ok {
		t.Error("found before it was set")
	}
	c.Set(cache.Users, "ada", "admin")
	if got, ok := cache.Get[string](c, cache.Users, "ada"); !ok || got != "admin" {
		t.Errorf("got %q, %v", got, ok)
	}
	if _, ok := cache.Get[int](c, cache.Users, "ada"); ok {
		t.Error("found under another type")
	}
	if _, ok := cache.Get[string](c, cache.Sessions, "ada"); ok {
		t.Error("found in another region")
	}
	c.Set("unknown", "ada", 1)
	if _, ok := cache.Get[int](c, "unknown", "ada"); ok {
		t.Error("found in a region that does not exist")
	}
	if s := stats(c, cache.Users); s.Hits != 1 || s.Misses != 2 || s.Items != 1 || s.TTL != time.Hour {
		t.Errorf("stats %+v", s)
	}
	if len(c.Stats()) != len(cache.Regions()) {
		t.Error("a region has no stats")
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(nil, map[cache.Region]time.Duration{cache.Users: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		c.Set(cache.Users, "ada", 1)
		c.Set(cache.Users, "bob", 1, time.Hour)
		time.Sleep(3 * time.Minute) // of the bubble's clock
		if _, ok := cache.Get[int](c, cache.Users, "ada"); ok {
			t.Error("an expired entry was found")
		}
		if _, ok := cache.Get[int](c, cache.Users, "bob"); !ok {
			t.Error("an entry with its own TTL was lost")
		}
		if s := stats(c, cache.Users); s.Items != 1 || s.Evictions != 1 {
			t.Errorf("stats %+v", s)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestLoadOnce(t *testing.T) {
	t.Parallel()
	c := cache.New(nil, nil)
	var calls atomic.Int32
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := cache.Load(c, cache.Plugins, "k", func() (int, error) { calls.Add(1); <-release; return 7, nil })
			if err != nil || got != 7 {
				t.Errorf("got %d: %v", got, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if n := calls.Load(); n < 1 || n > 8 {
		t.Errorf("%d calls", n)
	}
	if got, ok := cache.Get[int](c, cache.Plugins, "k"); !ok || got != 7 {
		t.Error("what was loaded was not kept")
	}
	failed := errors.New("no")
	if _, err := cache.Load(c, cache.Plugins, "bad", func() (int, error) { return 0, failed }); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	if _, ok := cache.Get[int](c, cache.Plugins, "bad"); ok {
		t.Error("an error was kept")
	}
}

// TestInvalidateDuringLoad: a value that was read before a change is not kept after it.
func TestInvalidateDuringLoad(t *testing.T) {
	t.Parallel()
	c := cache.New(nil, nil)
	got, err := cache.Load(c, cache.Users, "ada", func() (string, error) {
		c.Invalidate(cache.Users, "ada")
		return "old", nil
	})
	if err != nil || got != "old" {
		t.Errorf("got %q: %v", got, err)
	}
	if _, ok := cache.Get[string](c, cache.Users, "ada"); ok {
		t.Error("a stale value was kept")
	}
}

func TestInvalidateEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		here, there := cache.New(b, nil), cache.New(b, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, c := range []*cache.Cache{here, there} {
			wg.Go(func() { c.Run(ctx) })
		}
		synctest.Wait()
		for _, key := range []string{"a", "b"} {
			here.Set(cache.PluginData, key, 1)
			there.Set(cache.PluginData, key, 1)
		}
		there.Set(cache.Users, "a", 1)
		here.Invalidate(cache.PluginData, "a")
		synctest.Wait()
		if _, ok := cache.Get[int](there, cache.PluginData, "a"); ok {
			t.Error("the other cache kept the entry")
		}
		if _, ok := cache.Get[int](there, cache.PluginData, "b"); !ok {
			t.Error("the other cache lost another entry")
		}
		b.Publish(bus.Hint{Topic: "cache:" + string(cache.PluginData)}) // as the store does
		synctest.Wait()
		for _, c := range []*cache.Cache{here, there} {
			if stats(c, cache.PluginData).Items != 0 {
				t.Error("a region was not emptied")
			}
		}
		if _, ok := cache.Get[int](there, cache.Users, "a"); !ok {
			t.Error("another region was emptied")
		}
		b.Close() // the cache lives on without its bus
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

// TestAskedAfterAChange: who asks after a change does not get what a load from before it found.
func TestAskedAfterAChange(t *testing.T) {
	t.Parallel()
	c := cache.New(nil, nil)
	_, err := cache.Load(c, cache.Users, "ada", func() (string, error) {
		c.Invalidate(cache.Users, "")
		if got, err := cache.Load(c, cache.Users, "ada", func() (string, error) { return "new", nil }); err != nil || got != "new" {
			t.Errorf("got %q: %v", got, err)
		}
		return "old", nil
	})
	if got, ok := cache.Get[string](c, cache.Users, "ada"); err != nil || got != "new" || !ok {
		t.Errorf("kept %q: %v", got, err)
	}
}

// TestRunBeginsEmpty: nobody told this cache what was changed before it listened.
func TestRunBeginsEmpty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		defer b.Close()
		here, there := cache.New(b, nil), cache.New(b, nil)
		there.Set(cache.Users, "ada", "old")
		here.Invalidate(cache.Users, "ada")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- there.Run(ctx) }()
		synctest.Wait()
		if _, ok := cache.Get[string](there, cache.Users, "ada"); ok {
			t.Error("what was kept before it listened is still there")
		}
		stop()
		<-ended
	})
}

// TestMissedHints: a cache that missed an invalidation trusts nothing that it has.
func TestMissedHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		defer b.Close()
		c := cache.New(b, nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.Run(ctx)
		synctest.Wait()
		c.Set(cache.Users, "ada", 1)
		hints := make([]bus.Hint, 5000)
		for i := range hints {
			hints[i] = bus.Hint{Topic: "cache:plugins", ID: "x"}
		}
		b.Publish(hints...)
		synctest.Wait()
		if _, ok := cache.Get[int](c, cache.Users, "ada"); ok {
			t.Skip("the cache was quick enough to miss nothing")
		}
		cancel()
		synctest.Wait()
	})
}
