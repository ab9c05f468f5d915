CREATE TABLE words (id int PRIMARY KEY, a varchar(20) CHARACTER SET latin1, b char(20) CHARACTER SET latin2, c varchar(20) CHARACTER SET cp1251,
  d text CHARACTER SET utf16, e varchar(20) CHARACTER SET ucs2, f varchar(20) CHARACTER SET utf32, g varchar(20) CHARACTER SET gbk,
  h varchar(20) CHARACTER SET sjis, i varchar(20) CHARACTER SET euckr, j varchar(20) CHARACTER SET koi8r,
  k enum('ä','ö') CHARACTER SET latin1, l set('ä','ö') CHARACTER SET latin1, m varchar(20) CHARACTER SET utf8mb3, n varchar(20) CHARACTER SET big5,
  o varchar(20) CHARACTER SET utf16le);
-- capture
INSERT INTO words VALUES (1, 'Größe €š', 'Łódź', 'Привет', 'Ω 😀', 'Ωmega', '😀', '漢字', '日本語', '한국어', 'Привет', 'ö', 'ä,ö', 'é€', '漢字', 'Ω 😀');
INSERT INTO words VALUES (2, '', '', '', '', '', '', '', '', '', '', 'ä', '', '', '', '');
