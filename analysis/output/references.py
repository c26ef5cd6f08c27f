"""The articles that row labels name, as citations of `references.bib` in LaTeX."""

NAME = "references.bib"

MACRO = r"\providecommand{\methodcite}[1]{~\cite{#1}}" + "\n"
r"""Prints the citation of a row; `\newcommand{\methodcite}[1]{}` in the preamble leaves all of them out."""

CITED = {
    "ResNet": "he2016",
    "DenseNet": "huang2017",
    "Inception v3": "szegedy2016",
    "Jiang": "jiang2018",
    "Sharma": "sharma2022",
    "SE": "hu2018",
    "ECA": "wang2020",
    "CAM": "woo2018",
    "SAM": "woo2018",
    "CAM // SAM": "woo2018",
    "CAM + SAM (CSAM)": "woo2018",
    "SAM + CAM (SCAM)": "woo2018",
}
"""By label, the key of the article that proposed the method, as the paper cites them in its Tables 5 and 10 to 12."""

BIB = r"""@inproceedings{he2016,
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  title = {Deep Residual Learning for Image Recognition},
  booktitle = {CVPR}, year = {2016}, doi = {10.1109/CVPR.2016.90}
}
@inproceedings{huang2017,
  author = {Huang, Gao and Liu, Zhuang and van der Maaten, Laurens and Weinberger, Kilian Q.},
  title = {Densely Connected Convolutional Networks},
  booktitle = {CVPR}, year = {2017}, doi = {10.1109/CVPR.2017.243}
}
@inproceedings{szegedy2016,
  author = {Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jonathon and Wojna, Zbigniew},
  title = {Rethinking the {Inception} Architecture for Computer Vision},
  booktitle = {CVPR}, year = {2016}, doi = {10.1109/CVPR.2016.308}
}
@article{jiang2018,
  author = {Jiang, Ming and Cheng, Liu and Qin, Feiwei and Du, Lian and Zhang, Min},
  title = {White Blood Cells Classification with Deep Convolutional Neural Networks},
  journal = {International Journal of Pattern Recognition and Artificial Intelligence},
  volume = {32}, number = {9}, pages = {1857006}, year = {2018}, doi = {10.1142/S0218001418570069}
}
@article{sharma2022,
  author = {Sharma, Sarang and Gupta, Sheifali and Gupta, Deepali and Juneja, Sapna and Gupta, Punit and
            Dhiman, Gaurav and Kautish, Sandeep},
  title = {Deep Learning Model for the Automatic Classification of White Blood Cells},
  journal = {Computational Intelligence and Neuroscience},
  pages = {7384131}, year = {2022}, doi = {10.1155/2022/7384131}, note = {Retracted}
}
@inproceedings{hu2018,
  author = {Hu, Jie and Shen, Li and Sun, Gang},
  title = {Squeeze-and-Excitation Networks},
  booktitle = {CVPR}, year = {2018}, doi = {10.1109/CVPR.2018.00745}
}
@inproceedings{wang2020,
  author = {Wang, Qilong and Wu, Banggu and Zhu, Pengfei and Li, Peihua and Zuo, Wangmeng and Hu, Qinghua},
  title = {{ECA-Net}: Efficient Channel Attention for Deep Convolutional Neural Networks},
  booktitle = {CVPR}, year = {2020}, doi = {10.1109/CVPR42600.2020.01155}
}
@inproceedings{woo2018,
  author = {Woo, Sanghyun and Park, Jongchan and Lee, Joon-Young and Kweon, In So},
  title = {{CBAM}: Convolutional Block Attention Module},
  booktitle = {ECCV}, year = {2018}, doi = {10.1007/978-3-030-01234-2_1}
}
"""
