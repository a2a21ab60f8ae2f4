package gemma3

import "strings"

// Repair takes the text model out of a checkpoint that also sees: names lie under
// language_model, in one of two places, and what belongs to pictures is dropped.
func (m *Model) Repair(name string) string {
	for _, picture := range []string{"vision_tower.", "multi_modal_projector.", "model.vision_tower.", "model.multi_modal_projector."} {
		if strings.HasPrefix(name, picture) {
			return ""
		}
	}
	if rest, ok := strings.CutPrefix(name, "model.language_model."); ok {
		return "model." + rest
	}
	return strings.TrimPrefix(name, "language_model.")
}
