"""The paper's figures, drawn anew from the runs, the data and the model."""
