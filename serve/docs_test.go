package serve

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// The page of the interface has every field that OpenAI's does not have.
func TestFieldsAreDescribed(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []any{More{}, choosing{}, judging{}, selector{}, tools{}} {
		v := reflect.TypeOf(part)
		for i := range v.NumField() {
			if name := v.Field(i).Tag.Get("json"); name != "" && !strings.Contains(string(page), "`"+name) {
				t.Errorf("docs/api.md lacks the field %s", name)
			}
		}
	}
}
