package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"octopus/server/auth"
	"octopus/server/backup"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/dispatch"
	"octopus/server/folder"
	"octopus/server/store"
	"octopus/server/vault"
)

// Prefix is where the API lives. Its names are kept once released.
const Prefix = "/api/v1"

// Config is what the API stands on.
type Config struct {
	Store    *store.Store
	Dispatch *dispatch.Dispatcher
	Catalog  *catalog.Catalog
	Auth     *auth.Auth
	Bus      bus.Bus
	Cache    *cache.Cache
	Backups  *backup.Keeper
	Vault    *vault.Vault
	// Folder is where plugins are found on this machine. Defaults to none.
	Folder *folder.Folder
	// Log receives failures inside the server, with their request ids. Defaults to silence.
	Log *slog.Logger
	// Version of the server. Defaults to "".
	Version string
	// PublicURL is what login links begin with. Defaults to "".
	PublicURL string
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// API answers the REST API. Make it with [New], give it a goroutine with [API.Run] and put it on a router with
// [API.Mount].
type API struct {
	store    *store.Store
	dispatch *dispatch.Dispatcher
	catalog  *catalog.Catalog
	auth     *auth.Auth
	bus      bus.Bus
	cache    *cache.Cache
	backups  *backup.Keeper
	vault    *vault.Vault
	folder   *folder.Folder // nil: there is none
	log      *slog.Logger
	now      func() time.Time
	version  string
	public   string
	started  time.Time

	feed     *feed
	origin   *http.CrossOriginProtection
	stopping context.Context // done once Stop was called: streams and waits end
	stop     context.CancelFunc

	document struct {
		once sync.Once
		json []byte
	}
}

// New makes the API. Nothing is answered before it is mounted.
func New(c Config) *API {
	a := &API{
		store: c.Store, dispatch: c.Dispatch, catalog: c.Catalog, auth: c.Auth, bus: c.Bus, cache: c.Cache, backups: c.Backups, vault: c.Vault, folder: c.Folder,
		log: c.Log, now: c.Now, version: c.Version, public: strings.TrimRight(c.PublicURL, "/"),
		feed: newFeed(), origin: http.NewCrossOriginProtection(),
	}
	a.stopping, a.stop = context.WithCancel(context.Background())
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.started = a.now()
	return a
}

// Run numbers what happens for the streams of events until ctx ends; then it ends every stream.
func (a *API) Run(ctx context.Context) error {
	defer a.stop()
	return a.feed.run(ctx, a.bus)
}

// Stop ends streams and waits, which would hold up a server that stops. It is idempotent; Run calls it.
func (a *API) Stop() { a.stop() }

// untilStop ends ctx when Stop is called. The caller calls done.
func (a *API) untilStop(ctx context.Context) (waiting context.Context, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(a.stopping, cancel)
	return ctx, func() { unhook(); cancel() }
}

// Mount puts the API on a router, with its own middleware: who is calling, request ids, limits. Everything else
// under [Prefix] that nobody took before is answered as a problem.
func (a *API) Mount(router chi.Router) {
	router.Group(func(r chi.Router) {
		r.Use(a.requestID, a.plainURL, a.auth.Tokens, a.auth.Sessions, a.sameOrigin, a.answerPanics)
		h := humachi.New(r, configure(a.version))
		a.routes(h)
		a.plain(r, h)
		r.HandleFunc(Prefix+"/*", a.unknownRoute(router))
	})
}

// OpenAPI returns the description of the API as indented JSON.
func OpenAPI(version string) ([]byte, error) {
	a := New(Config{})
	h := humachi.New(chi.NewRouter(), configure(version))
	a.routes(h)
	return json.MarshalIndent(h.OpenAPI(), "", "  ")
}

// configure says how huma reads, checks, writes and describes.
func configure(version string) huma.Config {
	setErrors()
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Octopus", Version: version,
				Description: "Runs tasks on machines you cannot reach. See docs/api.md for the conventions that all routes share.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", BearerFormat: "oct_…", Description: "An API token."},
					"session": {Type: "apiKey", In: "cookie", Name: auth.CookieName,
						Description: "A signed-in browser. Requests that change something must come from the same origin."},
				},
			},
			Tags: tags,
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}
