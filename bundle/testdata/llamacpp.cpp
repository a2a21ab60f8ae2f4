// Prints llama.cpp's logits after the last of some ids, one a line:
//
//	llamacpp MODEL.gguf ID ...
//
// Keys and values are kept in f32. It made llamacpp.json beside it, with
// llama.cpp of October 2025 (commit 7adc79c0), on a processor:
//
//	c++ -O1 -std=c++17 -I$L/include -I$L/ggml/include llamacpp.cpp -o llamacpp \
//	    $L/build/src/libllama.a $L/build/ggml/src/libggml*.a -lpthread -ldl
//	FOUNDLING_LLAMACPP=$PWD/llamacpp go test ./bundle -run LlamaCPP -update
#include "llama.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char **argv) {
	llama_backend_init();
	llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
	if (!model) return 1;
	llama_context_params params = llama_context_default_params();
	params.n_ctx = 64;
	params.n_threads = params.n_threads_batch = 1;
	params.type_k = params.type_v = GGML_TYPE_F32;
	params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
	llama_context *context = llama_init_from_model(model, params);
	if (!context) return 1;
	std::vector<llama_token> ids;
	for (int i = 2; i < argc; i++) ids.push_back(atoi(argv[i]));
	if (llama_decode(context, llama_batch_get_one(ids.data(), ids.size()))) return 1;
	const float *logits = llama_get_logits_ith(context, -1);
	int n = llama_vocab_n_tokens(llama_model_get_vocab(model));
	for (int i = 0; i < n; i++) printf("%.7g\n", logits[i]);
}
