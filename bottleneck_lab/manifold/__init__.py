"""ReLU collapse in arrays: shapes, embeddings, what can be inverted, what is lost; nothing of training."""
