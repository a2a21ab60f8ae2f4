// Perplexity by llama.cpp's library, counted as its perplexity tool counts. It
// made llamacpp_perplexity.json (llama.cpp 7adc79c0, CPU, one thread):
//
//   ppl stories260K-f32.gguf text 128
//
// where text is the first 2,600 bytes of tiny Shakespeare. Build it with the
// headers and static libraries of llama.cpp.
#include "llama.h"
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>
int main(int argc, char ** argv) {
    int n_ctx = atoi(argv[3]);
    llama_backend_init();
    llama_log_set([](enum ggml_log_level, const char *, void *) {}, nullptr);
    auto mp = llama_model_default_params(); mp.n_gpu_layers = 0;
    auto * model = llama_model_load_from_file(argv[1], mp);
    auto cp = llama_context_default_params(); cp.n_ctx = n_ctx; cp.n_batch = n_ctx; cp.n_threads = 1; cp.n_threads_batch = 1;
    cp.type_k = GGML_TYPE_F32; cp.type_v = GGML_TYPE_F32; cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    auto * ctx = llama_init_from_model(model, cp);
    auto * vocab = llama_model_get_vocab(model);
    std::ifstream f(argv[2]); std::stringstream ss; ss << f.rdbuf(); std::string text = ss.str();
    std::vector<llama_token> t(text.size() + 16);
    int n = llama_tokenize(vocab, text.data(), text.size(), t.data(), t.size(), true, false);
    t.resize(n);
    int nv = llama_vocab_n_tokens(vocab), chunks = n / n_ctx, first = n_ctx / 2, count = 0; double nll = 0, nll2 = 0;
    llama_batch b = llama_batch_init(n_ctx, 0, 1);
    for (int i = 0; i < chunks; i++) {
        llama_memory_clear(llama_get_memory(ctx), true);
        for (int k = 0; k < n_ctx; k++) {
            b.token[k] = (k == 0 && llama_vocab_get_add_bos(vocab)) ? llama_vocab_bos(vocab) : t[i * n_ctx + k];
            b.pos[k] = k; b.n_seq_id[k] = 1; b.seq_id[k][0] = 0; b.logits[k] = 1;
        }
        b.n_tokens = n_ctx;
        if (llama_decode(ctx, b)) return 1;
        for (int p = first; p < n_ctx - 1; p++) {
            const float * l = llama_get_logits_ith(ctx, p);
            float m = l[0]; for (int j = 1; j < nv; j++) m = std::max(m, l[j]);
            double s = 0; for (int j = 0; j < nv; j++) s += expf(l[j] - m);
            double x = -(l[t[i * n_ctx + p + 1]] - m - log(s));
            nll += x; nll2 += x * x; count++;
        }
    }
    nll /= count; nll2 = nll2 / count - nll * nll;
    printf("{\"context\":%d,\"add_bos\":%d,\"count\":%d,\"perplexity\":%.6f,\"standard_error\":%.6f,\"ids\":[", n_ctx, (int) llama_vocab_get_add_bos(vocab), count, exp(nll), sqrt(nll2 / (count - 1)) * exp(nll));
    for (int i = 0; i < n; i++) printf("%s%d", i ? "," : "", t[i]);
    printf("]}\n");
}
