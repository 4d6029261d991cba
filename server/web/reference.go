package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/views"
)

func (s *Web) referenceRoutes(r chi.Router) {
	r.Get("/api", s.page(s.reference))
}

// reference shows the OpenAPI document to people. ?q= narrows it without a script.
func (s *Web) reference(w http.ResponseWriter, r *http.Request) error {
	m, err := s.described()
	if err != nil {
		return err
	}
	m.Page = s.frame(w, r, "system", "API")
	m.Crumbs = crumbs("System", "/system", "API")
	m.Query = strings.TrimSpace(r.FormValue("q"))
	m.Groups = narrowed(m.Groups, m.Query)
	return s.render(w, r, http.StatusOK, views.APIReferencePage(m))
}

// readReference turns the document into a page, once: it does not change while the server runs.
func (s *Web) readReference() (views.APIReference, error) {
	if s.cfg.OpenAPI == nil {
		return views.APIReference{}, octopus.Errorf(octopus.CodeNotFound, "This server does not describe its API.")
	}
	raw, err := s.cfg.OpenAPI()
	if err != nil {
		return views.APIReference{}, err
	}
	return parseOpenAPI(raw, s.cfg.PublicURL)
}

// narrowed hides the operations that lack one of the words. It copies: all viewers share the page.
func narrowed(groups []views.APIGroup, query string) []views.APIGroup {
	words := strings.Fields(strings.ToLower(query))
	out := slices.Clone(groups)
	for i := range out {
		out[i].Operations = slices.Clone(out[i].Operations)
		for j, o := range out[i].Operations {
			text := o.FilterText()
			out[i].Operations[j].Hidden = slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
		}
	}
	return out
}
