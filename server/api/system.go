package api

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/metrics"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/cache"
	"octopus/server/store"
)

func (a *API) getOverview(ctx context.Context, _ *struct{}) (*one[sdk.Overview], error) {
	o, err := cache.Load(a.cache, cache.Overview, "api", func() (store.Overview, error) { return a.store.Overview(ctx) })
	if err != nil {
		return nil, err
	}
	out := sdk.Overview{Queued: o.Queued, Running: o.Running, AgentsUp: a.dispatch.Online(), Last24h: map[string]int{}}
	for status, n := range o.ByStatus24h {
		out.Last24h[string(status)] = n
	}
	for _, h := range o.PerHour {
		done, failed := h.Counts[octopus.Succeeded], h.Counts[octopus.Failed]
		out.PerHour = append(out.PerHour, sdk.HourCount{Hour: utc(h.Hour), Succeeded: done, Failed: failed, Other: h.Counts.Total() - done - failed})
	}
	return &one[sdk.Overview]{Body: out}, nil
}

func (a *API) getSystem(ctx context.Context, _ *struct{}) (*one[sdk.System], error) {
	h, err := a.store.Health(ctx)
	if err != nil {
		return nil, err
	}
	held, live := memory()
	return &one[sdk.System]{Body: sdk.System{
		Version: a.version, Database: h.Dialect + " " + h.Version, SizeBytes: h.SizeBytes, SchemaVersion: h.SchemaVersion,
		AgentsOnline: a.dispatch.Online(), StartedAt: utc(a.started),
		MemoryBytes: held, HeapBytes: live, DatabaseStatements: a.store.Statements(),
	}}, nil
}

// memory is what the runtime has from the operating system, and what of the heap was alive after the last garbage
// collection. Neither stops the program.
func memory() (held, live int64) {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64()), int64(s[2].Value.Uint64())
}

// healthz says that the process answers.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyTimeout bounds how long a check of readiness may wait for the database.
const readyTimeout = 5 * time.Second

// readyz says whether work can be taken: the database answers and has space.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	h, err := a.store.Health(ctx)
	switch {
	case err != nil:
		a.log.Error("not ready", "error", err)
		a.refuse(w, r, octopus.Errorf(octopus.CodeUnavailable, "The database does not answer. The server's log has the details."))
	case h.Damaged:
		a.refuse(w, r, octopus.Errorf(octopus.CodeUnavailable, "A part of the database is damaged. Stop the server and restore a backup; docs/operations.md says how."))
	case h.NoSpace:
		a.refuse(w, r, octopus.Errorf(octopus.CodeUnavailable, "The disk is full. Free some space; nothing that was acknowledged is lost."))
	default:
		a.healthz(w, r)
	}
}

// openAPI serves the description of the API.
func (a *API) openAPI(h huma.API) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.document.once.Do(func() {
			a.document.json, _ = json.Marshal(h.OpenAPI()) // docs/openapi.json is the same: a test marshals it
		})
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(a.document.json)
	}
}
