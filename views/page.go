// Package views draws the pages: templ components and the plain structs that they take. It decides nothing and
// reads nothing; server/web fills the structs.
package views

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"octopus/internal/octopus"
	"octopus/static"
)

// Page is what every page has around its content.
type Page struct {
	Title   string // of the window; the product's name is added
	Section string // which entry of the navigation is current
	Crumbs  []Crumb
	Viewer  *Viewer // nil: nobody is signed in
	Events  string  // address of the event stream, "" for a page that does not move
	CLI     string  // the command that shows or does the same
	Again   string  // the command that repeats what the page shows
	Toast   *Toast
	Version string
}

// Crumb is one step of the way to a page. The last has no Href.
type Crumb struct{ Label, Href string }

// Viewer is who looks at the page.
type Viewer struct {
	Username string
	Name     string // display name, or the user name
	Role     octopus.Role
	Zone     string // IANA; "" is UTC
	Theme    string // "", "light" or "dark"
}

// Can reports whether the viewer's role includes least. Shared fragments cannot ask: they use may-… classes.
func (p Page) Can(least octopus.Role) bool {
	return p.Viewer != nil && p.Viewer.Role.Includes(least)
}

// Toast is a message that goes away by itself. Kind is "ok" or "bad". With Undo it has a button that posts there, and
// stays longer.
type Toast struct{ Kind, Text, Undo string }

// Option is one choice of a select.
type Option struct {
	Value, Label string
	Selected     bool
}

// zoneOf returns the viewer's zone for the page's script.
func (p Page) zoneOf() string {
	if p.Viewer == nil || p.Viewer.Zone == "" {
		return "UTC"
	}
	return p.Viewer.Zone
}

func (p Page) roleOf() string {
	if p.Viewer == nil {
		return "viewer"
	}
	return string(p.Viewer.Role)
}

func (p Page) themeOf() string {
	if p.Viewer == nil {
		return ""
	}
	return p.Viewer.Theme
}

func (p Page) windowTitle() string {
	if p.Title == "" {
		return "Octopus"
	}
	return p.Title + " · Octopus"
}

// nav is one entry of the navigation. On a phone only five fit: Less hides there, More shows only there.
type nav struct {
	Key, Label, Href, Icon, Class string
}

func mainNav() []nav {
	return []nav{
		{"home", "Home", "/", "house", ""},
		{"tasks", "Tasks", "/tasks", "list-checks", ""},
		{"runs", "Runs", "/runs", "history", ""},
		{"agents", "Agents", "/agents", "server", ""},
		{"plugins", "Plugins", "/plugins", "puzzle", ""},
	}
}

func adminNav() []nav {
	return []nav{
		{"users", "Users", "/users", "users", "may-admin"},
		{"secrets", "Secrets", "/secrets", "key-round", "may-admin"},
		{"system", "System", "/system", "gauge", ""},
	}
}

// icon returns the address of a symbol in the sprite.
func icon(name string) templ.SafeURL { return templ.SafeURL(static.URL("icons.svg") + "#" + name) }

func href(format string, args ...any) templ.SafeURL {
	return templ.SafeURL(fmt.Sprintf(format, args...))
}

// statusWord is how a status reads.
func statusWord(s string) string { return strings.ReplaceAll(s, "_", " ") }

// statusIcon is the shape of a status, for eyes that do not tell its colour.
func statusIcon(s string) string {
	switch s {
	case "succeeded", "online", "published", "ok":
		return "circle-check"
	case "running":
		return "loader-circle"
	case "offered":
		return "send"
	case "failed":
		return "circle-x"
	case "timed_out":
		return "timer"
	case "expired":
		return "hourglass"
	case "lost":
		return "unplug"
	case "rejected", "revoked":
		return "shield-off"
	case "cancelled":
		return "ban"
	case "disabled":
		return "circle-slash"
	case "drained":
		return "circle-pause"
	case "silent", "deprecated", "warn":
		return "triangle-alert"
	case "offline":
		return "wifi-off"
	}
	return "circle-dashed"
}

// Span writes a duration as people say it.
func Span(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 ms"
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour && d%time.Minute == 0:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// Bytes writes a size in binary units.
func Bytes[N int | int64 | uint64](n N) string {
	v, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[i])
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[i]
}

// Count writes a number with thin groups.
func Count[N int | int64 | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// Plural writes "1 agent" or "3 agents".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// utc is the absolute time that machines and titles read.
func utc(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

type sharedKey struct{}

// Shared marks ctx for a fragment that many viewers share and that is compared with its former self: it must not
// change only because time passes. The page's script writes the relative words.
func Shared(ctx context.Context) context.Context { return context.WithValue(ctx, sharedKey{}, true) }

func shared(ctx context.Context) bool { return ctx.Value(sharedKey{}) != nil }

// since is the first count of something that goes on.
func since(ctx context.Context, t time.Time) string {
	if shared(ctx) {
		return "…"
	}
	return Span(time.Since(t).Truncate(time.Second))
}

// ago is the first relative word; the page's script keeps it true.
func ago(ctx context.Context, t time.Time) string {
	if shared(ctx) {
		return t.UTC().Format("15:04:05")
	}
	d := time.Since(t)
	if d < 0 {
		return "in " + coarse(octopus.Nearest(-d))
	}
	if d < 5*time.Second {
		return "just now"
	}
	return coarse(d) + " ago"
}

func coarse(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours())/24)
}

func initials(name string) string {
	if name == "" {
		return "?"
	}
	return string([]rune(name)[:1])
}

// short shows the end of an identifier, which differs, instead of its start, which does not.
func short(id string) string {
	if len(id) <= 14 {
		return id
	}
	return id[:4] + "…" + id[len(id)-6:]
}
