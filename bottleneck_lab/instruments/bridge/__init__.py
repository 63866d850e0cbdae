"""From Lemma 2 to accuracy: what is lost in every bottleneck of trained networks."""
