package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"octopus/views"
)

// openAPI is as much of an OpenAPI 3.1 document as the page shows.
type openAPI struct {
	Tags       []struct{ Name, Description string } `json:"tags"`
	Paths      map[string]map[string]apiOperation   `json:"paths"`
	Components struct {
		Schemas map[string]apiSchema `json:"schemas"`
	} `json:"components"`
}

type apiOperation struct {
	ID          string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Description string                `json:"description"`
	Tags        []string              `json:"tags"`
	Parameters  []apiParameter        `json:"parameters"`
	RequestBody *apiBody              `json:"requestBody"`
	Responses   map[string]apiBody    `json:"responses"`
	Security    []map[string][]string `json:"security"`
}

type apiParameter struct {
	Name        string    `json:"name"`
	In          string    `json:"in"`
	Description string    `json:"description"`
	Required    bool      `json:"required"`
	Schema      apiSchema `json:"schema"`
	Example     any       `json:"example"`
}

type apiBody struct {
	Description string `json:"description"`
	Content     map[string]struct {
		Schema apiSchema `json:"schema"`
	} `json:"content"`
}

// aliases are the paths that only repeat others; a tag's description names them.
const aliases = "/api/v1/clients"

// parseOpenAPI makes the page's model of a document. base is what addresses in commands begin with.
func parseOpenAPI(raw []byte, base string) (views.APIReference, error) {
	var doc openAPI
	if err := json.Unmarshal(raw, &doc); err != nil {
		return views.APIReference{}, fmt.Errorf("OpenAPI document: %w", err)
	}
	var m views.APIReference
	for _, tag := range doc.Tags {
		g := views.APIGroup{Name: tag.Name, About: tag.Description}
		for _, path := range sortedKeys(doc.Paths) {
			if strings.HasPrefix(path, aliases) {
				continue
			}
			for _, method := range sortedMethods(doc.Paths[path]) {
				if o := doc.Paths[path][method]; len(o.Tags) > 0 && o.Tags[0] == tag.Name {
					g.Operations = append(g.Operations, doc.operation(base, path, strings.ToUpper(method), o))
				}
			}
		}
		m.Operations += len(g.Operations)
		m.Groups = append(m.Groups, g)
	}
	sent := doc.sent()
	for _, name := range sortedKeys(doc.Components.Schemas) {
		s, mark := doc.Components.Schemas[name], views.MustCome
		if sent[name] {
			mark = views.MustSend
		}
		m.Types = append(m.Types, views.APIType{Name: name, About: s.Description, Fields: s.fields(mark)})
	}
	return m, nil
}

// sent names the types that requests are made of.
func (d *openAPI) sent() map[string]bool {
	names := make(map[string]bool)
	var walk func(apiSchema)
	walk = func(s apiSchema) {
		if name := s.name().Ref; name != "" && !names[name] {
			names[name] = true
			for _, field := range d.Components.Schemas[name].Properties {
				walk(field)
			}
		}
	}
	for _, methods := range d.Paths {
		for _, o := range methods {
			if o.RequestBody == nil {
				continue
			}
			for _, content := range o.RequestBody.Content {
				walk(content.Schema)
			}
		}
	}
	return names
}

// sortedMethods has reading before writing, and removing last.
func sortedMethods(methods map[string]apiOperation) []string {
	order := []string{"get", "post", "put", "patch", "delete"}
	return slices.DeleteFunc(order, func(method string) bool { _, ok := methods[method]; return !ok })
}

func (d *openAPI) operation(base, path, method string, o apiOperation) views.APIOperation {
	out := views.APIOperation{ID: o.ID, Method: method, Path: path, Summary: o.Summary, About: o.Description}
	for _, p := range o.Parameters {
		if p.In == "header" && p.Name == "User-Agent" {
			continue // only tells who calls
		}
		f := p.Schema.field(p.Name)
		if p.Required {
			f.Must = views.MustSend
		}
		f.In, f.About, f.Example = p.In, cmp.Or(p.Description, f.About), cmp.Or(shown(p.Example), f.Example)
		out.Params = append(out.Params, f)
	}
	slices.SortStableFunc(out.Params, requiredFirst)
	if o.RequestBody != nil {
		body := d.body(*o.RequestBody, views.MustSend)
		out.Body = &body
	}
	for _, status := range sortedKeys(o.Responses) {
		if status == "default" {
			continue // a Problem, which the head of the page explains
		}
		answer := d.body(o.Responses[status], views.MustCome)
		answer.Status = status
		out.Answers = append(out.Answers, answer)
	}
	out.Curl = d.curl(base, path, method, o)
	return out
}

func (d *openAPI) body(b apiBody, mark views.Must) views.APIBody {
	out := views.APIBody{About: b.Description}
	for _, media := range sortedKeys(b.Content) {
		s := b.Content[media].Schema
		out.Media, out.Type, out.Fields = media, s.name(), d.resolve(s).fields(mark)
		break
	}
	return out
}

// resolve follows a reference to a named type.
func (d *openAPI) resolve(s apiSchema) apiSchema {
	if name := s.refName(); name != "" {
		return d.Components.Schemas[name]
	}
	return s
}

func requiredFirst(a, b views.APIField) int {
	switch {
	case (a.Must == views.MayLack) == (b.Must == views.MayLack):
		return 0
	case a.Must != views.MayLack:
		return -1
	}
	return 1
}

// curl is a line to paste: it reads the token and ids from variables, and sends what is required.
func (d *openAPI) curl(base, path, method string, o apiOperation) string {
	var b strings.Builder
	b.WriteString("curl -sS ")
	if method != http.MethodGet && (method != http.MethodPost || o.RequestBody == nil) {
		b.WriteString("-X " + method + " ")
	}
	address := base + path
	for _, p := range o.Parameters {
		if p.In == "path" {
			address = strings.ReplaceAll(address, "{"+p.Name+"}", "$"+strings.ToUpper(p.Name))
		}
	}
	b.WriteString(`"` + address + `"`)
	if len(o.Security) > 0 {
		b.WriteString(` -H "Authorization: Bearer $TOKEN"`)
	}
	if o.RequestBody == nil {
		return b.String()
	}
	kinds := sortedKeys(o.RequestBody.Content)
	if len(kinds) == 0 {
		return b.String()
	}
	media := kinds[0]
	b.WriteString(" -H 'Content-Type: " + media + "'")
	if !strings.HasSuffix(media, "json") {
		b.WriteString(" --data-binary @FILE")
		return b.String()
	}
	if example, err := json.Marshal(d.example(o.RequestBody.Content[media].Schema, 0)); err == nil {
		b.WriteString(" -d '" + strings.ReplaceAll(string(example), "'", `'\''`) + "'")
	}
	return b.String()
}
