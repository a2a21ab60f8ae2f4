package serve

import "reflect"

// RequestFields are the names of the fields of requests for texts.
var RequestFields = map[string][]string{
	"/v1/chat/completions": fieldNames(reflect.TypeFor[chatRequest]()),
	"/v1/completions":      fieldNames(reflect.TypeFor[completionRequest]()),
	"/v1/responses":        fieldNames(reflect.TypeFor[responseRequest]()),
}
